import { compareOrderKeys } from '../../../model/order.js';
import { readLane } from '../../../model/payload.js';
import type { MessageOrigin, MessageStatus, StoredMessage } from '../../../model/records.js';
import { isMessageStatus } from '../../../model/status.js';
import { column } from '../parquet/columns.js';
import { ParquetFormatError } from '../parquet/parquet-format-error.js';
import type { RowGroupData } from '../parquet/row-group-reader.js';
import { type Cell, type Cells, cellsOf } from './cells.js';
import { contentsTerms, TERM_KINDS, transactionTerms } from './index-terms.js';
import { AMOUNT_COLUMN, amountCell, CONTENT_COLUMNS, contentCells, encodedCells } from './message-contents.js';
import { laneName, type MessageRowKey, microsOf, type RowKind } from './row-kind.js';
import { SHARED_COLUMNS } from './shared-columns.js';

const KEY_COLUMNS = [
  ...SHARED_COLUMNS.time,
  ...SHARED_COLUMNS.lane,
  ...SHARED_COLUMNS.position,
  ...SHARED_COLUMNS.first,
  column('status', 'string', { statistics: true, comment: 'processing, success or timeout.' }),
  column('block_number', 'int64', {
    ...{ statistics: true, deltas: true, nullable: true },
    comment: 'Block on the source chain. Null when the message was not read from the chain.',
  }),
  column('log_index', 'int64', { deltas: true, nullable: true, comment: 'Place of its event in the block.' }),
];

const DETAIL_COLUMNS = [
  column('block_hash', 'string', { nullable: true, comment: 'Hash of its block.' }),
  column('block_timestamp_ms', 'int64', {
    ...{ statistics: true, deltas: true, nullable: true },
    comment: 'block_time in unix ms.',
  }),
  column('transaction_hash', 'string', { nullable: true, comment: 'Transaction that sent it.' }),
  ...SHARED_COLUMNS.receipts,
];

/** The columns of a message without its contents. */
const ENVELOPE_COLUMNS = [...KEY_COLUMNS, ...DETAIL_COLUMNS];

/** What people ask by, among the 32 columns that other engines take statistics of. */
const ASKED_COLUMNS = [
  ...SHARED_COLUMNS.ingestionTime,
  column('block_time', 'timestamp', {
    ...{ statistics: true, deltas: true, nullable: true },
    comment: 'Time of its block on the source chain.',
  }),
  ...SHARED_COLUMNS.laneName,
];

/** The columns in which another table holds messages: the bytes in place of the contents. */
export const MESSAGE_BYTES_COLUMNS = [
  ...ENVELOPE_COLUMNS,
  column('encoded_message', 'binary', { distinct: true, comment: 'Canonical bytes of an orphaned message.' }),
];

/** Messages that lists show, in their order. One that was not read from the chain has no block, log or transaction. */
export const MESSAGE_ROWS: RowKind<StoredMessage, MessageRowKey> = {
  table: 'messages',
  columns: [...KEY_COLUMNS, ...ASKED_COLUMNS, ...DETAIL_COLUMNS, ...CONTENT_COLUMNS, AMOUNT_COLUMN],
  recordColumns: [...ENVELOPE_COLUMNS, ...CONTENT_COLUMNS],
  keyColumns: KEY_COLUMNS,

  encode(record, key) {
    const { origin } = record;
    const contents = contentCells(record.encodedMessage);
    return [
      BigInt(record.ingestionMs),
      record.messageId,
      String(key.sourceChainSelector),
      String(key.destChainSelector),
      record.position,
      BigInt(record.firstMs),
      record.status,
      origin?.blockNumber ?? null,
      origin && BigInt(origin.logIndex),
      microsOf(record.ingestionMs),
      origin && microsOf(origin.blockTimestampMs),
      laneName(key),
      origin?.blockHash ?? null,
      origin && BigInt(origin.blockTimestampMs),
      origin?.transactionHash ?? null,
      record.messageExecutorAddress,
      record.messageCCVAddresses,
      ...contents,
      amountCell(contents),
    ];
  },

  sizeOf: (record) =>
    record.encodedMessage.length +
    record.messageId.length +
    (record.origin ? record.origin.blockHash.length + record.origin.transactionHash.length : 0) +
    32,

  records(data) {
    const cells = cellsOf(data);
    const key = keys(data);
    const origin = origins(cells);
    const messageExecutorAddress = cells.hex('message_executor_address');
    const messageCCVAddresses = cells.hexList('message_ccv_addresses');
    const encodedMessage = encodedCells(cells, key);
    return (row) => {
      const { messageId, ingestionMs, position, firstMs, status } = key(row);
      return {
        messageId,
        encodedMessage: encodedMessage(row),
        messageCCVAddresses: messageCCVAddresses(row),
        messageExecutorAddress: messageExecutorAddress(row),
        origin: origin(row),
        status,
        ingestionMs,
        position,
        firstMs,
        orphaned: false,
      };
    };
  },

  keys,
  keyOf: (record) => ({
    ingestionMs: record.ingestionMs,
    messageId: record.messageId,
    verifierSourceAddress: '0x',
    verifierDestAddress: '0x',
    position: record.position,
    firstMs: record.firstMs,
    status: record.status,
    blockNumber: record.origin?.blockNumber ?? null,
    logIndex: record.origin?.logIndex ?? null,
    ...readLane(record.encodedMessage),
  }),
  compare: compareOrderKeys,
  indexedId: (key) => key.messageId,
  termKinds: TERM_KINDS,
  termsOf: ({ encodedMessage, origin }, key) => [
    ...contentsTerms(encodedMessage, laneName(key)),
    ...transactionTerms(origin),
  ],
  listedLane: laneName,
};

function keys(data: RowGroupData): (row: number) => MessageRowKey {
  const cells = cellsOf(data);
  const messageId = cells.hex('message_id');
  const sourceChainSelector = cells.decimal('source_chain_selector');
  const destChainSelector = cells.decimal('dest_chain_selector');
  const ingestionMs = cells.number('ingestion_ms');
  const position = cells.bigint('position');
  const firstMs = cells.number('first_ms');
  const status = cells.text('status');
  const blockNumber = cells.bigintOrNull('block_number');
  const logIndex = cells.numberOrNull('log_index');
  return (row) => ({
    ingestionMs: ingestionMs(row),
    messageId: messageId(row),
    verifierSourceAddress: '0x',
    verifierDestAddress: '0x',
    sourceChainSelector: sourceChainSelector(row),
    destChainSelector: destChainSelector(row),
    position: position(row),
    firstMs: firstMs(row),
    status: toStatus(status(row)),
    blockNumber: blockNumber(row),
    logIndex: logIndex(row),
  });
}

function origins(cells: Cells): Cell<MessageOrigin | null> {
  const hasOrigin = cells.bigintOrNull('block_number');
  const blockNumber = cells.bigint('block_number');
  const logIndex = cells.number('log_index');
  const blockHash = cells.hex('block_hash');
  const blockTimestampMs = cells.number('block_timestamp_ms');
  const transactionHash = cells.hex('transaction_hash');
  return (row) =>
    hasOrigin(row) === null
      ? null
      : {
          blockNumber: blockNumber(row),
          blockHash: blockHash(row),
          blockTimestampMs: blockTimestampMs(row),
          transactionHash: transactionHash(row),
          logIndex: logIndex(row),
        };
}

function toStatus(text: string): MessageStatus {
  if (isMessageStatus(text)) return text;
  throw new ParquetFormatError(`a message has the unknown status ${text}`);
}
