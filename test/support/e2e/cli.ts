import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS } from '../patience.js';
import { SELDOM_OPTIMIZED } from '../seldom-optimized.js';

/** The checkout: relative paths of commands begin here. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** How a process ended: one of the two is null. */
export interface CliExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A `ccv-indexer` command as a process of its own. */
export interface CliProcess {
  readonly pid: number;
  readonly exited: Promise<CliExit>;
  /** Null while it runs. */
  exit(): CliExit | null;
  stdout(): string;
  stderr(): string;
  /** Resolves with the match once `pattern` was printed on either stream; rejects when the process ends without it. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Sends a signal to this process alone. */
  kill(signal: NodeJS.Signals): void;
  /** What Ctrl-C in a terminal does: SIGINT to the whole process group. */
  interrupt(): void;
  /** SIGTERM, and how it ended. */
  stop(): Promise<CliExit>;
}

const running = new Set<CliProcess>();
process.once('exit', () => {
  for (const cli of running) cli.kill('SIGKILL');
});

/** `ccv-indexer` as a bundle of its source, which loads in half the CPU time of its files. */
const BUNDLED = ['scripts/bundled/run.mjs', 'src/cli/main.ts'];
/** What `npm run ccv-indexer` runs. */
const BUILT = ['scripts/ccv-indexer.mjs'];
/** What `npm start` runs. */
const DEVNET = ['scripts/bundled/run.mjs', 'scripts/devnet/main.ts'];

/**
 * Starts `ccv-indexer` in a process group of its own, as a shell does. `maxDescriptors`: files and sockets that it may have
 * open, also while it loads: file by file, as users load it.
 */
export function startCli(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  maxDescriptors: number | 'unlimited' = 'unlimited',
): CliProcess {
  const program = maxDescriptors === 'unlimited' ? BUNDLED : BUILT;
  return startProgram(program, args, environment, maxDescriptors);
}

/** Starts `ccv-indexer` with so few files and sockets that its files could not be loaded one by one. */
export function startNarrowCli(args: readonly string[], maxDescriptors: number): CliProcess {
  return startProgram(BUNDLED, args, {}, maxDescriptors);
}

/** Starts `npm start -- …args` as `startCli` does. */
export function startDevnet(args: readonly string[]): CliProcess {
  return startProgram(DEVNET, args, {}, 'unlimited');
}

function startProgram(
  program: readonly string[],
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  maxDescriptors: number | 'unlimited',
): CliProcess {
  const command = [process.execPath, ...SELDOM_OPTIMIZED, ...program, ...args];
  const limited = maxDescriptors === 'unlimited' ? [] : ['sh', '-c', `ulimit -n ${maxDescriptors} && exec "$0" "$@"`];
  // without what vitest sets, and without what the machine's owner may have set for an indexer
  return startCommand([...limited, ...command], { ...plainEnvironment(), ...environment });
}

/** Starts a program with its arguments as `startCli` does, in the checkout, with `environment` alone. */
export function startCommand(
  [executable = '', ...args]: readonly string[],
  environment: Readonly<Record<string, string>>,
): CliProcess {
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(executable, args, {
    ...{ cwd: ROOT, env: environment, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  });
  let stdout = '';
  let stderr = '';
  let ended: CliExit | null = null;
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const look of waiting) look();
  };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
    wake();
  });
  const exited = new Promise<CliExit>((resolve, reject) => {
    child.once('error', reject);
    // `close`, not `exit`: everything printed has arrived
    child.once('close', (code, signal) => {
      ended = { code, signal };
      running.delete(cli);
      wake();
      resolve(ended);
    });
  });
  const signal = (target: number, name: NodeJS.Signals) => {
    if (ended === null && child.pid !== undefined) process.kill(target, name);
  };
  const pid = child.pid ?? 0;
  const cli: CliProcess = {
    pid,
    exited,
    exit: () => ended,
    stdout: () => stdout,
    stderr: () => stderr,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const fail = (why: string) => {
          done();
          reject(new Error(`${args.join(' ')}: ${why} before it printed ${pattern}\n${stdout}\n${stderr}`));
        };
        const timer = setTimeout(() => fail(`${PATIENCE_MS} ms passed`), PATIENCE_MS);
        const done = () => {
          clearTimeout(timer);
          waiting.delete(look);
        };
        const look = () => {
          const match = pattern.exec(stdout) ?? pattern.exec(stderr);
          if (match) {
            done();
            resolve(match);
          } else if (ended) fail(`it ended with ${ended.code ?? ended.signal}`);
        };
        waiting.add(look);
        look();
      }),
    kill: (name) => signal(pid, name),
    interrupt: () => signal(-pid, 'SIGINT'),
    stop: async () => {
      signal(pid, 'SIGTERM');
      return await exited;
    },
  };
  running.add(cli);
  return cli;
}

/** Runs a command to its end. */
export async function runCli(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const cli = startCli(args, environment);
  const { code } = await cli.exited;
  return { code, stdout: cli.stdout(), stderr: cli.stderr() };
}

/** Ends what a failed test left running; call it in `afterEach`. */
export async function endAllCli(): Promise<void> {
  for (const cli of [...running]) {
    cli.kill('SIGKILL');
    await cli.exited;
  }
}

function plainEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || /^(CCV_INDEXER|VITEST|NODE_OPTIONS|NODE_ENV$)/.test(name) ? [] : [[name, value]],
    ),
  );
}
