import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../../src/core/clock.js';
import { toError } from '../../../src/core/errors.js';
import { DevnetProcessError } from './devnet-errors.js';

/** How a process ended: one of the two is null. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child that cannot outlive this process. */
export interface TiedProcess {
  readonly pid: number;
  /** Resolves when it has ended, however that came about, and `output` has the last that it printed. */
  readonly exited: Promise<ProcessExit>;
  /** How it ended, or null while it runs. */
  exit(): ProcessExit | null;
  /** The last few kilobytes that it printed. */
  output(): string;
  /** Sends SIGTERM, SIGKILL after `graceMs`, and resolves when it is gone. Idempotent. */
  stop(graceMs: number): Promise<ProcessExit>;
}

/** Which mechanism ends the child when this process dies. */
export type Tie = 'pdeathsig' | 'pipe';

const OUTPUT_LIMIT = 8 * 1024;

/*
 * A child is started so that
 * - it receives SIGTERM when this process dies in any way, kill -9 included, and can still save its state;
 * - Ctrl-C in the terminal does not reach it, because it leads a session of its own: its owner drains first, then stops
 *   it.
 *
 * pdeathsig: the kernel sends the signal (Linux, setpriv of util-linux). We may have died before the kernel was told,
 * so the shell in between looks whether its parent is still us. Both exec, so the pid is the child's own.
 * pipe: anywhere else, a shell holds the read end of a pipe whose write end only this process has. The shell execs the
 * program, a subshell of it waits for the end of the pipe and signals. It fails only if that subshell is killed too.
 */
const PDEATHSIG_SCRIPT = '[ "$PPID" = "$0" ] && exec "$@"';
const PIPE_SCRIPT = 'exec 3<&0; (trap "" INT; cat <&3; kill -TERM $$) >/dev/null 2>&1 & exec "$@" </dev/null 3<&-';

/** The best tie of this machine. */
function bestTie(): Tie {
  if (process.platform !== 'linux') return 'pipe';
  // busybox has a setpriv without this option, so ask for it rather than for the name
  return spawnSync('setpriv', ['--pdeathsig', 'TERM', 'true'], { stdio: 'ignore' }).status === 0 ? 'pdeathsig' : 'pipe';
}

/**
 * Starts `file` with `args`, tied to the life of this process.
 * @throws DevnetProcessError when it cannot be started at all.
 */
export async function startTiedProcess(
  file: string,
  args: readonly string[],
  clock: Clock,
  tie: Tie = bestTie(),
): Promise<TiedProcess> {
  const [command, ...rest] =
    tie === 'pdeathsig'
      ? ['setpriv', '--pdeathsig', 'TERM', 'sh', '-c', PDEATHSIG_SCRIPT, String(process.pid), file, ...args]
      : ['sh', '-c', PIPE_SCRIPT, 'sh', file, ...args];
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(command ?? file, rest, {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-OUTPUT_LIMIT);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.stdin.on('error', () => undefined); // EPIPE once the child is gone: `exited` tells
  let ended: ProcessExit | null = null;
  child.once('exit', () => child.stdin.destroy()); // lets the pipe's subshell end
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('close', (code: number | null, signal: NodeJS.Signals | null) => {
      ended = { code, signal };
      resolve(ended);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => reject(new DevnetProcessError(`cannot start ${file}`, { cause: toError(cause) })));
  });
  return {
    pid: child.pid ?? 0,
    exited,
    exit: () => ended,
    output: () => output,
    async stop(graceMs) {
      if (ended) return ended;
      child.kill('SIGTERM');
      const cancel = clock.after(graceMs, () => child.kill('SIGKILL'));
      const exit = await exited;
      cancel();
      return exit;
    },
  };
}
