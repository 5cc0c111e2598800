import type { MessageOrigin, NewMessage, QuarantineEntry } from '../../model/records.js';
import type { RawLog } from '../rpc/raw-log.js';
import { type LogContext, readMessageSentLog } from './message-sent-log.js';
import { logKey } from './quarantined-log.js';

/** The messages and quarantine entries that logs are read as. */
export interface LogReadings {
  readonly messages: readonly NewMessage<MessageOrigin>[];
  readonly quarantine: readonly QuarantineEntry[];
  /**
   * The logs that are messages, key → block number. A key holds the id beside the place, so that a log which one node
   * garbles is not taken for the one that another tells.
   */
  readonly logs: ReadonlyMap<string, number>;
  /** How many there were, messages or not. */
  readonly logCount: number;
}

/**
 * Reads logs as messages, and those that fail a check as quarantine entries. Messages whose keys are in `stored` are
 * neither read nor returned, but are among `logs`. `timeOf` tells when the block of a log was made, in unix ms.
 */
export function readLogs(
  logs: readonly RawLog[],
  timeOf: (log: RawLog) => number,
  context: LogContext,
  stored?: ReadonlyMap<string, number>,
): LogReadings {
  const messages: NewMessage<MessageOrigin>[] = [];
  const quarantine: QuarantineEntry[] = [];
  const keys = new Map<string, number>();
  for (const log of logs) {
    const messageKey = `${logKey(log)}:${log.topics[3]}`;
    if (stored?.has(messageKey)) {
      keys.set(messageKey, log.blockNumber);
      continue;
    }
    const reading = readMessageSentLog(log, timeOf(log), context);
    if (reading.kind === 'message') {
      messages.push(reading.message);
      keys.set(messageKey, log.blockNumber);
    } else quarantine.push(reading.entry);
  }
  return { messages, quarantine, logs: keys, logCount: logs.length };
}
