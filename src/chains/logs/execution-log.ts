import { toEventSelector } from 'viem';
import { IndexerError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import type { Execution, QuarantineEntry } from '../../model/records.js';
import { EXECUTION_STATES } from '../../protocol/records.js';
import type { RawLog } from '../rpc/raw-log.js';
import { AbiReader } from './abi-reader.js';
import { type QuarantineReason, quarantineLog } from './quarantined-log.js';

/** Topic 0 of the event that an OffRamp emits for each change of a message's state; see `src/protocol/README.md`. */
export const EXECUTION_TOPIC: Hex = toEventSelector(
  'event ExecutionStateChanged(uint64 indexed sourceChainSelector, uint64 indexed messageNumber, ' +
    'bytes32 indexed messageId, uint8 state, bytes returnData)',
);

/** A log of an OffRamp, read. */
export type ExecutionReading =
  | { readonly kind: 'execution'; readonly execution: Execution }
  | { readonly kind: 'quarantine'; readonly entry: QuarantineEntry };

const MAX_UINT64 = 2n ** 64n - 1n;

/**
 * Reads an `ExecutionStateChanged` log of an OffRamp on chain `selector`. Its message may be one that is not stored, or
 * of a lane that is not watched. Never throws for a log's contents: one that fails a check is a quarantine entry with
 * the first reason.
 */
export function readExecutionLog(log: RawLog, blockTimestampMs: number, selector: bigint): ExecutionReading {
  let failing: QuarantineReason = 'topic_count';
  const reject = (detail: string): ExecutionReading => ({
    kind: 'quarantine',
    entry: quarantineLog(log, selector, failing, detail),
  });
  try {
    const [, sourceTopic, numberTopic, messageId] = log.topics;
    if (sourceTopic === undefined || numberTopic === undefined || messageId === undefined)
      return reject(`expected 4 topics, found ${log.topics.length}`);

    failing = 'topic_value';
    const sourceChainSelector = BigInt(sourceTopic);
    const messageNumber = BigInt(numberTopic);
    for (const found of [sourceChainSelector, messageNumber])
      if (found > MAX_UINT64) return reject(`expected a uint64, found ${found}`);

    failing = 'abi';
    const reader = new AbiReader(log.data);
    const found = reader.u32('state', 0);
    const returnData = reader.bytes('returnData', reader.follow('returnData', 32, 0));

    failing = 'execution_state';
    const state = EXECUTION_STATES[found];
    if (state === undefined) return reject(`expected a state of 0 to ${EXECUTION_STATES.length - 1}, found ${found}`);

    const execution: Execution = {
      ...{ messageId, sourceChainSelector, destChainSelector: selector, messageNumber, offRamp: log.address, state },
      returnData: new Uint8Array(returnData),
      place: {
        blockNumber: BigInt(log.blockNumber),
        blockHash: log.blockHash,
        blockTimestampMs,
        transactionHash: log.transactionHash,
        logIndex: log.logIndex,
      },
    };
    return { kind: 'execution', execution };
  } catch (thrown) {
    if (thrown instanceof IndexerError) return reject(thrown.message);
    throw thrown;
  }
}
