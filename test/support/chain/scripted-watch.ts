import {
  type ChainWatcher,
  type ChainWatcherOptions,
  createChainWatcher,
} from '../../../src/chains/watch/chain-watcher.js';
import type { WatchedChain } from '../../../src/chains/watch/watched-chain.js';
import { type Common, createCommon } from '../../../src/core/common.js';
import { createManualClock, type ManualClock } from '../manual-clock.js';
import { MemoryChainStore } from './memory-chain-store.js';
import type { ScriptedChain } from './scripted-chain.js';
import { ON_RAMP, SOURCE } from './watch.js';

/** How often a scripted watcher looks. */
const POLL_MS = 1_000;

/** A watcher of a scripted chain, on a clock that a test moves. */
export interface ScriptedWatch {
  readonly watcher: ChainWatcher;
  readonly store: MemoryChainStore;
  readonly clock: ManualClock;
  readonly common: Common;
  /** Null while it runs. */
  ended(): Error | 'stopped' | null;
  /** Lets so many polls pass. */
  poll(times?: number): Promise<void>;
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
}

/** Starts one; `store` and `clock` of an earlier one make it a restart. */
export async function watchScripted(
  chain: ScriptedChain,
  options: {
    readonly chain?: Partial<WatchedChain>;
    readonly watcher?: Partial<ChainWatcherOptions>;
    readonly store?: MemoryChainStore;
    readonly clock?: ManualClock;
    readonly common?: Partial<Common>;
  } = {},
): Promise<ScriptedWatch> {
  const { store = new MemoryChainStore(), clock = createManualClock() } = options;
  const common = createCommon({ random: () => 0.5, ...options.common, clock });
  const watcher = createChainWatcher({
    chain: {
      name: 'a',
      selector: SOURCE.sourceSelector,
      onRamps: [{ address: ON_RAMP, startBlock: 0 }],
      confirmations: 'finalized',
      pollIntervalMs: POLL_MS,
      maxBlockRange: 2_000,
      ...options.chain,
    },
    rpc: chain.client(),
    store,
    writer: store,
    common,
    cursorEveryMs: 0,
    ...options.watcher,
  });
  const controller = new AbortController();
  let ended: Error | 'stopped' | null = null;
  const run = watcher.run(controller.signal).then(
    () => {
      ended = 'stopped';
    },
    (error: Error) => {
      ended = error;
    },
  );
  const watched: ScriptedWatch = {
    watcher,
    store,
    clock,
    common,
    ended: () => ended,
    async poll(times = 1) {
      for (let time = 0; time < times; time++) {
        await clock.advance(POLL_MS);
        await settled(clock, () => ended !== null);
      }
    },
    async metric(name) {
      const values = (await common.metrics.getSingleMetric(name)?.get())?.values ?? [];
      return values.reduce((sum, { value }) => sum + value, 0);
    },
    async stop() {
      controller.abort();
      await run;
    },
  };
  await settled(clock, () => ended !== null);
  return watched;
}

/** The watcher waits for the clock, or is done: nothing is under way. */
async function settled(clock: ManualClock, isDone: () => boolean): Promise<void> {
  do await clock.settle();
  while (clock.pending === 0 && !isDone());
}
