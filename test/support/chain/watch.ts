import { createRpcPool, type RpcPoolOptions } from '../../../src/chains/rpc/rpc-pool.js';
import type { ChainWatcher, ChainWatcherOptions } from '../../../src/chains/watch/chain-watcher.js';
import { createChainWatcher } from '../../../src/chains/watch/chain-watcher.js';
import type { WatchedChain } from '../../../src/chains/watch/watched-chain.js';
import { type Common, createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { eventually } from '../eventually.js';
import type { AnvilChain } from './anvil-chain.js';
import type { MessageMaker } from './log-emitter.js';
import type { MemoryChainStore } from './memory-chain-store.js';

export const ON_RAMP: Hex = '0xc5a5c42992decbae36851359345fe25997f5c42d';
export const OFF_RAMP: Hex = '0xd6b6c53a03ef42bf47472464a46f0f6e54fe53ae';
export const SOURCE: MessageMaker = {
  onRamp: ON_RAMP,
  sourceSelector: 3379446385462418246n,
  destSelector: 7759470850252068959n,
};

/** A watcher that runs until it is stopped. */
export interface RunningWatcher {
  readonly watcher: ChainWatcher;
  readonly common: Common;
  /** How `run` ended; pending while it runs. */
  readonly ended: Promise<Error | null>;
  /** Value of a metric, its labels added up unless named. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  stop(): Promise<void>;
}

/** What a test may set of a watcher and its client. */
export interface WatchOptions {
  readonly urls: readonly string[];
  readonly store: MemoryChainStore;
  readonly chain?: Partial<WatchedChain>;
  readonly rpc?: Partial<RpcPoolOptions>;
  readonly watcher?: Partial<ChainWatcherOptions>;
  readonly common?: Common;
}

/** Starts a watcher of `ON_RAMP` with short pauses. */
export function watch(options: WatchOptions): RunningWatcher {
  const common = options.common ?? createCommon();
  const name = options.chain?.name ?? 'a';
  const rpc = createRpcPool({ chainName: name, urls: options.urls, timeoutMs: 60_000, ...options.rpc, common });
  const watcher = createChainWatcher({
    chain: {
      name,
      selector: SOURCE.sourceSelector,
      onRamps: [{ address: ON_RAMP, startBlock: 0 }],
      confirmations: 'latest',
      pollIntervalMs: 10,
      maxBlockRange: 2_000,
      ...options.chain,
    },
    rpc,
    store: options.store,
    writer: options.store,
    common,
    cursorEveryMs: 0,
    ...options.watcher,
  });
  const controller = new AbortController();
  const ended = watcher.run(controller.signal).then(
    () => null,
    (error: Error) => error,
  );
  return {
    watcher,
    common,
    ended,
    async metric(metricName, labels = {}) {
      const values = (await common.metrics.getSingleMetric(metricName)?.get())?.values ?? [];
      return values
        .filter((value) =>
          Object.entries(labels).every(
            ([label, wanted]) => (value.labels as Record<string, unknown>)[label] === wanted,
          ),
        )
        .reduce((sum, { value }) => sum + value, 0);
    },
    async stop() {
      controller.abort();
      await ended;
      await rpc.close();
    },
  };
}

/** Waits until the watcher has stored everything up to block `block`. */
export async function processed({ watcher }: RunningWatcher, block: number): Promise<void> {
  await eventually(`block ${block} is processed`, () => {
    const { processed: done, lastError } = watcher.status();
    return (done !== null && done >= block && lastError === null) || { done, lastError };
  });
}

/** How many messages were timed from their blocks to their commits. */
export async function timedMessages({ common }: { readonly common: Common }): Promise<number> {
  return Number(
    /indexer_time_to_index_seconds_count\{query="chain"\} (\d+)/.exec(await common.metrics.metrics())?.[1] ?? 0,
  );
}

/** What a store must hold of this chain: every message in blocks `from` to `to`, as id and place. */
export async function liveOnChain(chain: AnvilChain, to: number, from = 0): Promise<readonly string[]> {
  const quantity = (value: number) => `0x${value.toString(16)}`;
  const filter = { address: chain.onRamp, fromBlock: quantity(from), toBlock: quantity(to) };
  const logs = (await chain.rpc('eth_getLogs', [filter])) as {
    topics: Hex[];
    blockHash: Hex;
    logIndex: Hex;
  }[];
  return logs.map(({ topics, blockHash, logIndex }) => `${topics[3]} ${blockHash}:${Number(logIndex)}`).sort();
}
