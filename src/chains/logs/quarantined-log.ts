import { bytesToHex, type Hex } from '../../core/hex.js';
import type { QuarantineEntry } from '../../model/records.js';
import type { RawLog } from '../rpc/raw-log.js';
import { chainSourceId } from '../source-ids.js';

/**
 * Why the log of a message was quarantined: the first check that failed, in the order in which they are made
 * (`src/protocol/README.md`). `source_selector` is one more, and the last: a message that says it is of another chain
 * can be neither found nor orphaned as one of this chain.
 */
export const QUARANTINE_REASONS = [
  'topic_count',
  'abi',
  'receipt_count',
  'message_decode',
  'on_ramp',
  'sender',
  'message_id',
  'dest_selector',
  'ccv_and_executor_hash',
  'source_selector',
] as const;
/** That of an execution has `topic_count`, `topic_value`, `abi`, `execution_state`, in this order. */
export type QuarantineReason = (typeof QUARANTINE_REASONS)[number] | 'topic_value' | 'execution_state';

/** `<block hash>:<log index>`. */
export function logKey(log: RawLog): string {
  return `${log.blockHash}:${log.logIndex}`;
}

/**
 * The log as it is kept: `raw` is UTF-8 JSON with `address`, `topics`, `data`, `blockHash`, `transactionHash` in hex
 * and `blockNumber`, `logIndex` as numbers, in this order.
 */
export function quarantineLog(
  log: RawLog,
  selector: bigint,
  reason: QuarantineReason,
  detail: string,
): QuarantineEntry {
  const { address, topics, data, blockNumber, blockHash, transactionHash, logIndex } = log;
  const kept = { address, topics, data: bytesToHex(data), blockNumber, blockHash, transactionHash, logIndex };
  const messageId: Hex | null = topics[3] ?? null;
  return {
    sourceId: chainSourceId(selector, address),
    key: logKey(log),
    reason,
    detail,
    raw: Buffer.from(JSON.stringify(kept)),
    messageId,
  };
}
