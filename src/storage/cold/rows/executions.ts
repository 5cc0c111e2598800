import type { StoredExecution } from '../../../model/records.js';
import { EXECUTION_STATES } from '../../../protocol/records.js';
import { column } from '../parquet/columns.js';
import type { RowGroupData } from '../parquet/row-group-reader.js';
import { cellsOf, oneOf } from './cells.js';
import { transactionTerms } from './index-terms.js';
import { type ExecutionRowKey, laneName, microsOf, type RowKind } from './row-kind.js';
import { SHARED_COLUMNS } from './shared-columns.js';

const KEY_COLUMNS = [
  ...SHARED_COLUMNS.time,
  ...SHARED_COLUMNS.lane,
  ...SHARED_COLUMNS.position,
  column('block_number', 'int64', {
    ...{ statistics: true, deltas: true },
    comment: 'Block on the destination chain.',
  }),
  column('log_index', 'int64', { deltas: true, comment: 'Place of its event in the block.' }),
  column('block_hash', 'string', { comment: 'Hash of its block.' }),
];

const DETAIL_COLUMNS = [
  column('state', 'string', {
    statistics: true,
    comment: 'State of the message since: untouched, in-progress, success or failure, which is not final.',
  }),
  column('message_number', 'decimal', { comment: 'Number of the message in its lane.' }),
  column('off_ramp_address', 'string', { comment: 'Contract that executed the message.' }),
  column('block_timestamp_ms', 'int64', { statistics: true, deltas: true, comment: 'block_time in unix ms.' }),
  column('transaction_hash', 'string', { comment: 'Transaction that executed it.' }),
  column('return_data', 'binary', { comment: "Error of the receiver or of the pool's; empty without one." }),
];

/** The same again, for people. */
const ASKED_COLUMNS = [
  ...SHARED_COLUMNS.ingestionTime,
  column('block_time', 'timestamp', {
    ...{ statistics: true, deltas: true },
    comment: 'Time of its block on the destination chain.',
  }),
  ...SHARED_COLUMNS.laneName,
];

/** Executions that are not orphaned, by ingestion time, message and place on their chain. */
export const EXECUTION_ROWS: RowKind<StoredExecution, ExecutionRowKey> = {
  table: 'executions',
  columns: [...KEY_COLUMNS, ...DETAIL_COLUMNS, ...ASKED_COLUMNS],
  recordColumns: [...KEY_COLUMNS, ...DETAIL_COLUMNS],
  keyColumns: KEY_COLUMNS,

  encode(record, key) {
    const { place } = record;
    return [
      BigInt(record.ingestionMs),
      record.messageId,
      String(record.sourceChainSelector),
      String(record.destChainSelector),
      record.position,
      place.blockNumber,
      BigInt(place.logIndex),
      place.blockHash,
      record.state,
      record.messageNumber,
      record.offRamp,
      BigInt(place.blockTimestampMs),
      place.transactionHash,
      record.returnData,
      microsOf(record.ingestionMs),
      microsOf(place.blockTimestampMs),
      laneName(key),
    ];
  },

  sizeOf: ({ messageId, returnData, place }) =>
    messageId.length + returnData.length + place.blockHash.length + place.transactionHash.length + 64,

  records(data) {
    const cells = cellsOf(data);
    const key = keys(data);
    const state = cells.text('state');
    const messageNumber = cells.bigint('message_number');
    const offRamp = cells.hex('off_ramp_address');
    const blockTimestampMs = cells.number('block_timestamp_ms');
    const transactionHash = cells.hex('transaction_hash');
    const returnData = cells.bytes('return_data');
    return (row) => {
      const { blockNumber, logIndex, blockHash, firstMs: _, ...found } = key(row);
      return {
        ...found,
        state: oneOf(EXECUTION_STATES, state(row)),
        messageNumber: messageNumber(row),
        offRamp: offRamp(row),
        returnData: returnData(row),
        place: {
          ...{ blockNumber, logIndex, blockHash },
          blockTimestampMs: blockTimestampMs(row),
          transactionHash: transactionHash(row),
        },
        orphaned: false,
      };
    };
  },

  keys,
  keyOf: ({ messageId, ingestionMs, position, sourceChainSelector, destChainSelector, place }) => ({
    ...{ messageId, ingestionMs, position, firstMs: ingestionMs, sourceChainSelector, destChainSelector },
    ...{ blockNumber: place.blockNumber, logIndex: place.logIndex, blockHash: place.blockHash },
  }),
  compare: (a, b) =>
    a.ingestionMs - b.ingestionMs ||
    compare(a.messageId, b.messageId) ||
    compare(a.blockNumber, b.blockNumber) ||
    a.logIndex - b.logIndex ||
    compare(a.blockHash, b.blockHash),
  indexedId: (key) => key.messageId,
  termKinds: ['transaction'],
  termsOf: ({ place }) => transactionTerms(place),
  listedLane: laneName,
};

function keys(data: RowGroupData): (row: number) => ExecutionRowKey {
  const cells = cellsOf(data);
  const messageId = cells.hex('message_id');
  const sourceChainSelector = cells.decimal('source_chain_selector');
  const destChainSelector = cells.decimal('dest_chain_selector');
  const ingestion = cells.number('ingestion_ms');
  const position = cells.bigint('position');
  const blockNumber = cells.bigint('block_number');
  const logIndex = cells.number('log_index');
  const blockHash = cells.hex('block_hash');
  return (row) => {
    const ingestionMs = ingestion(row);
    return {
      messageId: messageId(row),
      ingestionMs,
      position: position(row),
      firstMs: ingestionMs,
      sourceChainSelector: sourceChainSelector(row),
      destChainSelector: destChainSelector(row),
      blockNumber: blockNumber(row),
      logIndex: logIndex(row),
      blockHash: blockHash(row),
    };
  };
}

function compare<T extends string | bigint>(a: T, b: T): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
