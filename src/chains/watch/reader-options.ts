import type { Common } from '../../core/common.js';
import type { Hex } from '../../core/hex.js';
import { createCCVAndExecutorHasher } from '../../protocol/ccv-and-executor-hash.js';
import type { ChainMetrics } from '../chain-metrics.js';
import { createBloomTest, createChainBlooms } from '../logs/log-bloom.js';
import { MESSAGE_SENT_TOPIC } from '../logs/message-sent-event.js';
import type { RangeReaderOptions } from '../logs/range-reader.js';
import { createSilenceCheck } from '../logs/silent-blocks.js';
import type { RpcPool } from '../rpc/rpc-pool.js';
import type { WatchedChain } from './watched-chain.js';

/** The filter, the checks and the blooms for reading the messages of the chain's OnRamps. */
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
  const addresses = chain.onRamps.map(({ address }) => address.toLowerCase() as Hex);
  const filter = { address: addresses.length === 1 ? (addresses[0] as Hex) : addresses, topic0: MESSAGE_SENT_TOPIC };
  const tests = addresses.map((address) => createBloomTest([address, MESSAGE_SENT_TOPIC]));
  const blooms = createChainBlooms(
    (logsBloom) => tests.some((mayHold) => mayHold(logsBloom)),
    () => {
      metrics.bloomsProve.set({ chain: chain.name }, 0);
      common.log.warn(
        { chain: chain.name },
        'the blooms of this chain prove nothing: one denies a message of its block',
      );
    },
  );
  return {
    filter,
    context: { selector: chain.selector, hashCCVsAndExecutor: createCCVAndExecutorHasher() },
    blooms,
    askSilent: createSilenceCheck({ chain: chain.name, log: common.log, rpc, filter, metrics, onLiar }),
  };
}
