import type { Execution, MessageOrigin, NewMessage, QuarantineEntry } from '../../model/records.js';
import type { RawLog } from '../rpc/raw-log.js';
import { EXECUTION_TOPIC, readExecutionLog } from './execution-log.js';
import { type LogContext, readMessageSentLog } from './message-sent-log.js';
import { logKey } from './quarantined-log.js';

/** The records and quarantine entries that logs are read as. */
export interface LogReadings {
  readonly messages: readonly NewMessage<MessageOrigin>[];
  readonly executions: readonly Execution[];
  readonly quarantine: readonly QuarantineEntry[];
  /**
   * The logs that are records, key → block number. A key holds the id beside the place, so that a log which one node
   * garbles is not taken for the one that another tells.
   */
  readonly logs: ReadonlyMap<string, number>;
  /** How many there were, records or not. */
  readonly logCount: number;
}

/**
 * Reads logs as messages and executions, and those that fail a check as quarantine entries. Logs whose keys are in
 * `stored` are neither read nor returned, but are among `logs`. `timeOf` tells when the block of a log was made, in
 * unix ms.
 */
export function readLogs(
  logs: readonly RawLog[],
  timeOf: (log: RawLog) => number,
  context: LogContext,
  stored?: ReadonlyMap<string, number>,
): LogReadings {
  const messages: NewMessage<MessageOrigin>[] = [];
  const executions: Execution[] = [];
  const quarantine: QuarantineEntry[] = [];
  const keys = new Map<string, number>();
  for (const log of logs) {
    const key = `${logKey(log)}:${log.topics[3]}`;
    if (stored?.has(key)) {
      keys.set(key, log.blockNumber);
      continue;
    }
    const reading =
      log.topics[0] === EXECUTION_TOPIC
        ? readExecutionLog(log, timeOf(log), context.selector)
        : readMessageSentLog(log, timeOf(log), context);
    if (reading.kind === 'quarantine') quarantine.push(reading.entry);
    else keys.set(key, log.blockNumber);
    if (reading.kind === 'message') messages.push(reading.message);
    if (reading.kind === 'execution') executions.push(reading.execution);
  }
  return { messages, executions, quarantine, logs: keys, logCount: logs.length };
}
