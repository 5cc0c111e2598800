import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import type { Common } from '../../../src/core/common.js';
import { toError } from '../../../src/core/errors.js';
import { noteRunning, noteStopped, savedState } from './anvil-state.js';
import { DevnetPackageMissingError, DevnetProcessError } from './devnet-errors.js';
import { createJsonRpc } from './json-rpc.js';
import { type ProcessExit, startTiedProcess, type TiedProcess } from './tied-process.js';

/** When blocks are made: one a transaction, one every so often, or only by `evm_mine`. */
export type AnvilMining = 'automine' | 'manual' | { readonly everyMs: number };

/** The kind of chain to start. */
export interface AnvilOptions {
  readonly common: Common;
  readonly chainId: number;
  /** The node's distances: safe = latest − N, finalized = latest − 2N. */
  readonly slotsInAnEpoch: number;
  /** Defaults to automine. */
  readonly mining?: AnvilMining;
  /** On 127.0.0.1. 0 and by default: a free one. */
  readonly port?: number;
  /** Where the chain is kept: read at start when it exists, written when the node stops, also by our death. */
  readonly stateFile?: string;
  /** More arguments for the program. */
  readonly extraArgs?: readonly string[];
}

/** A running local Ethereum node. */
export interface Anvil {
  readonly url: string;
  readonly wsUrl: string;
  readonly port: number;
  readonly chainId: number;
  readonly pid: number;
  /** Resolves when the process has ended, whether asked to or not. */
  readonly exited: Promise<ProcessExit>;
  /** Saves the state when there is a state file, and resolves when the process is gone. Idempotent. */
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
/** Generous: reading a saved state takes about a second for 100 MB. */
const START_TIMEOUT_MS = 60_000;
const START_POLL_MS = 10;
/** Generous: the node writes its whole state to disk before it ends. */
const STOP_GRACE_MS = 60_000;
const PORT_ATTEMPTS = 3;
/** Room for a block full of 30 KB messages. */
const BLOCK_GAS_LIMIT = 500_000_000;
/** State snapshots kept in memory, which is how deep `anvil_reorg` can go; none are written to the home directory. */
const KEPT_STATES = 256;

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/**
 * Path of the native program. The package's own `anvil` is a script that spawns it, which would hide its pid.
 * @throws DevnetPackageMissingError when this platform's package is not installed.
 */
export function anvilBinaryPath(platform: string = process.platform, architecture: string = process.arch): string {
  const name = `@foundry-rs/anvil-${platform}-${ARCHITECTURES[architecture] ?? architecture}`;
  try {
    return createRequire(import.meta.url).resolve(`${name}/bin/anvil${platform === 'win32' ? '.exe' : ''}`);
  } catch (cause) {
    throw new DevnetPackageMissingError(
      name,
      'run `npm ci` in a checkout of this project (dev and optional dependencies included); ' +
        "it brings the local chain's node",
      { cause },
    );
  }
}

/**
 * Starts one local chain and resolves when it answers. The node ends with this process whatever ends it (SIGTERM, so
 * the state is still saved), and a Ctrl-C in the terminal does not reach it.
 * @throws DevnetPackageMissingError, DevnetProcessError when it does not come up or the port is taken.
 */
export async function startAnvil(options: AnvilOptions): Promise<Anvil> {
  const binary = anvilBinaryPath();
  // no node writes the file any more
  if (options.stateFile !== undefined) await savedState(options.common, options.stateFile);
  if (options.port) return await startOnPort(binary, options, options.port);
  // Another process may take a port between our probe and the node's bind, so ask for another one then.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnPort(binary, options, await freePort());
    } catch (thrown) {
      if (attempt === PORT_ATTEMPTS || !(thrown instanceof DevnetProcessError)) throw thrown;
      options.common.log.debug({ err: toError(thrown), attempt }, 'anvil did not start, trying another port');
    }
  }
}

async function startOnPort(binary: string, options: AnvilOptions, port: number): Promise<Anvil> {
  const { common, chainId } = options;
  await assertPortFree(port);
  const child = await startTiedProcess(binary, anvilArgs(options, port), common.clock);
  const url = `http://${HOST}:${port}`;
  try {
    await untilAnswering(child, url, options);
  } catch (thrown) {
    await child.stop(0);
    throw thrown;
  }
  const { stateFile } = options;
  if (stateFile !== undefined) await noteRunning(stateFile, child.pid);
  common.log.debug({ chainId, port, pid: child.pid, stateFile }, 'anvil started');
  return {
    url,
    wsUrl: `ws://${HOST}:${port}`,
    port,
    chainId,
    pid: child.pid,
    exited: child.exited,
    async stop() {
      const exit = await child.stop(STOP_GRACE_MS);
      if (stateFile !== undefined && exit.code === 0) await noteStopped(stateFile);
      common.log.debug({ chainId, ...exit }, 'anvil stopped');
    },
  };
}

function anvilArgs(options: AnvilOptions, port: number): string[] {
  const { mining = 'automine', stateFile } = options;
  return [
    ...['--host', HOST, '--port', String(port), '--quiet', '--chain-id', String(options.chainId)],
    ...['--slots-in-an-epoch', String(options.slotsInAnEpoch), '--gas-limit', String(BLOCK_GAS_LIMIT)],
    ...['--prune-history', String(KEPT_STATES), '--no-request-size-limit'],
    ...(mining === 'automine' ? [] : mining === 'manual' ? ['--no-mining'] : blockTimeArgs(mining.everyMs)),
    ...(stateFile === undefined ? [] : ['--state', stateFile]),
    ...(options.extraArgs ?? []),
  ];
}

/** The program takes seconds, with a fraction. */
function blockTimeArgs(everyMs: number): string[] {
  return ['--block-time', String(everyMs / 1000)];
}

async function untilAnswering(child: TiedProcess, url: string, options: AnvilOptions): Promise<void> {
  const { clock } = options.common;
  const rpc = createJsonRpc(url, START_TIMEOUT_MS);
  const deadlineMs = clock.monotonicMs() + START_TIMEOUT_MS;
  let last: Error | undefined;
  while (clock.monotonicMs() < deadlineMs) {
    const exit = child.exit();
    const facts = { ...exit, url, output: child.output() };
    if (exit) throw new DevnetProcessError(`anvil ended while starting: ${child.output().trim()}`, { details: facts });
    try {
      if (Number(await rpc('eth_chainId')) === options.chainId) return;
      last = new DevnetProcessError(`another node answers at ${url}`);
    } catch (thrown) {
      last = toError(thrown);
    }
    await clock.sleep(START_POLL_MS);
  }
  throw new DevnetProcessError(`anvil does not answer at ${url}`, { cause: last, details: { output: child.output() } });
}

async function freePort(): Promise<number> {
  return await bindOnce(0);
}

async function assertPortFree(port: number): Promise<void> {
  try {
    await bindOnce(port);
  } catch (cause) {
    throw new DevnetProcessError(`port ${port} is taken: stop what listens there, or choose another port`, { cause });
  }
}

/** Binds `port` (0: any), lets go of it, and resolves to its number. */
async function bindOnce(port: number): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: HOST, port, exclusive: true }, resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return typeof address === 'object' && address !== null ? address.port : port;
}
