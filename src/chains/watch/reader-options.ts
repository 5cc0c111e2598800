import type { Common } from '../../core/common.js';
import type { Hex } from '../../core/hex.js';
import { createCCVAndExecutorHasher } from '../../protocol/ccv-and-executor-hash.js';
import type { ChainMetrics } from '../chain-metrics.js';
import { EXECUTION_TOPIC } from '../logs/execution-log.js';
import { createBloomTest, createChainBlooms } from '../logs/log-bloom.js';
import { MESSAGE_SENT_TOPIC } from '../logs/message-sent-event.js';
import type { RangeReaderOptions } from '../logs/range-reader.js';
import { createSilenceCheck } from '../logs/silent-blocks.js';
import type { EventFilter } from '../rpc/raw-log.js';
import type { RpcPool } from '../rpc/rpc-pool.js';
import type { WatchedChain, WatchedRamp } from './watched-chain.js';

/** The filter, the checks and the blooms for reading the logs of the chain's OnRamps and OffRamps. */
export function createRangeReading({
  chain,
  rpc,
  common,
  metrics,
  onLiar = () => undefined,
}: {
  readonly chain: WatchedChain;
  readonly rpc: RpcPool;
  readonly common: Common;
  readonly metrics: ChainMetrics;
  /** Called with the index of a URL that left out logs which another has. */
  readonly onLiar?: (url: number) => void;
}): RangeReaderOptions {
  const { onRamps, offRamps = [] } = chain;
  const { tracing } = common;
  const events = [eventOf(onRamps, MESSAGE_SENT_TOPIC), eventOf(offRamps, EXECUTION_TOPIC)];
  const [first, also] = events.filter(({ address }) => address.length > 0);
  const filter = { ...(first ?? eventOf(onRamps, MESSAGE_SENT_TOPIC)), ...(also ? { also } : {}) };
  const tests = events.flatMap(({ address, topic0 }) =>
    [address].flat().map((each) => createBloomTest([each, topic0])),
  );
  const blooms = createChainBlooms(
    (logsBloom) => tests.some((mayHold) => mayHold(logsBloom)),
    () => {
      metrics.bloomsProve.set({ chain: chain.name }, 0);
      common.log.warn({ chain: chain.name }, 'the blooms of this chain prove nothing: one denies a log of its block');
    },
  );
  return {
    filter,
    context: { selector: chain.selector, hashCCVsAndExecutor: createCCVAndExecutorHasher() },
    blooms,
    askSilent: createSilenceCheck({ chain: chain.name, log: common.log, rpc, filter, metrics, onLiar }),
    trace:
      tracing &&
      ((from, to) =>
        tracing.find('chain.read', { 'ccip.chain': chain.name, 'ccip.from_block': from, 'ccip.to_block': to })),
  };
}

function eventOf(ramps: readonly WatchedRamp[], topic0: Hex) {
  const addresses = ramps.map(({ address }) => address.toLowerCase() as Hex);
  return { address: addresses.length === 1 ? (addresses[0] as Hex) : addresses, topic0 } satisfies EventFilter;
}
