import type { StoredExecution } from '../../../model/records.js';
import { EXECUTION_STATES } from '../../../protocol/records.js';
import type { Row } from '../connection/statement.js';
import { bigintArray, booleanArray, bytesArray, hexArray, smallintArray } from './binary-arrays.js';
import { fromSelector, toBigint, toBoolean, toBytes, toHex, toNumber, toSelector } from './columns.js';

/** Columns of `executions x`, as `decodeExecution` takes them. */
export const EXECUTION_COLUMNS = `x.message_id, x.block_hash, x.log_index, x.source_chain, x.dest_chain,
  x.message_number, x.block_number, x.block_timestamp_ms, x.ingestion_ms, x.position, x.state, x.orphaned, x.off_ramp,
  x.transaction_hash, x.return_data`;

/** The fields of a row from `at` on as an execution. */
export function decodeExecution(row: Row, at: number): StoredExecution {
  const code = toNumber(row[at + 10]);
  const state = EXECUTION_STATES[code];
  if (!state) throw new TypeError(`the database holds an unknown execution state: ${code}`);
  return {
    messageId: toHex(row[at]),
    sourceChainSelector: toSelector(row[at + 3]),
    destChainSelector: toSelector(row[at + 4]),
    messageNumber: toSelector(row[at + 5]),
    offRamp: toHex(row[at + 12]),
    state,
    returnData: toBytes(row[at + 14]),
    place: {
      blockNumber: toBigint(row[at + 6]),
      blockHash: toHex(row[at + 1]),
      blockTimestampMs: toNumber(row[at + 7]),
      transactionHash: toHex(row[at + 13]),
      logIndex: toNumber(row[at + 2]),
    },
    ingestionMs: toNumber(row[at + 8]),
    position: toBigint(row[at + 9]),
    orphaned: toBoolean(row[at + 11]),
  };
}

/** The parameters of the statement that writes executions: an array a column, in the order of `EXECUTION_COLUMNS`. */
export function executionValues(rows: readonly StoredExecution[]): Buffer[] {
  return [
    hexArray(rows.map((row) => row.messageId)),
    hexArray(rows.map((row) => row.place.blockHash)),
    bigintArray(rows.map((row) => row.place.logIndex)),
    bigintArray(rows.map((row) => fromSelector(row.sourceChainSelector))),
    bigintArray(rows.map((row) => fromSelector(row.destChainSelector))),
    bigintArray(rows.map((row) => fromSelector(row.messageNumber))),
    bigintArray(rows.map((row) => row.place.blockNumber)),
    bigintArray(rows.map((row) => row.place.blockTimestampMs)),
    bigintArray(rows.map((row) => row.ingestionMs)),
    bigintArray(rows.map((row) => row.position)),
    smallintArray(rows.map((row) => EXECUTION_STATES.indexOf(row.state))),
    booleanArray(rows.map((row) => row.orphaned)),
    hexArray(rows.map((row) => row.offRamp)),
    hexArray(rows.map((row) => row.place.transactionHash)),
    bytesArray(rows.map((row) => row.returnData)),
  ];
}
