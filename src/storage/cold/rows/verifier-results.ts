import { compareOrderKeys } from '../../../model/order.js';
import { readLane } from '../../../model/payload.js';
import type { SignatureVerdict, StoredVerifierResult } from '../../../model/records.js';
import { SIGNATURE_VERDICTS } from '../../../protocol/records.js';
import { column } from '../parquet/columns.js';
import { type Cell, type Cells, cellsOf, oneOf } from './cells.js';
import { laneName, microsOf, type RowKey, type RowKind } from './row-kind.js';
import { SHARED_COLUMNS } from './shared-columns.js';

const KEY_COLUMNS = [
  ...SHARED_COLUMNS.time,
  column('verifier_source_address', 'string', { comment: 'CCV on the source chain.' }),
  column('verifier_dest_address', 'string', { comment: 'CCV on the destination chain.' }),
  ...SHARED_COLUMNS.lane,
  ...SHARED_COLUMNS.position,
  ...SHARED_COLUMNS.first,
];

const VERDICT_COLUMNS = [
  column('verdict', 'string', {
    ...{ nullable: true, statistics: true, added: true },
    comment: "valid, invalid or unsupported: signatures by the destination chain's rules. Null: not judged.",
  }),
  column('verdict_config_block', 'int64', {
    ...{ nullable: true, added: true },
    comment: "Block on the destination chain with the committee's configuration for the verdict.",
  }),
];

const STATED_COLUMNS = [
  ...KEY_COLUMNS,
  column('attestation_ms', 'int64', { statistics: true, deltas: true, comment: 'attestation_time in unix ms.' }),
  column('verifier_name', 'string', { comment: 'Name of the verifier that answered, by the configuration.' }),
  ...SHARED_COLUMNS.receipts,
  column('encoded_message', 'binary', {
    distinct: true,
    comment: 'Canonical bytes: keccak-256 of them is message_id.',
  }),
  column('ccv_data', 'binary', { distinct: true, comment: 'Proof of the verification, as the verifier gave it.' }),
];

/** The same again, for people, and columns that came later. */
const COLUMNS = [
  ...STATED_COLUMNS,
  ...SHARED_COLUMNS.ingestionTime,
  column('attestation_time', 'timestamp', {
    statistics: true,
    deltas: true,
    comment: 'When the verifier attested it.',
  }),
  ...SHARED_COLUMNS.laneName,
  ...VERDICT_COLUMNS,
];

/** Verifier results that lists show, in their order. */
export const VERIFIER_RESULT_ROWS: RowKind<StoredVerifierResult, RowKey> = {
  table: 'verifier_results',
  columns: COLUMNS,
  recordColumns: [...STATED_COLUMNS, ...VERDICT_COLUMNS],
  keyColumns: KEY_COLUMNS,

  encode(record, key) {
    return [
      BigInt(record.ingestionMs),
      record.messageId,
      record.verifierSourceAddress,
      record.verifierDestAddress,
      String(key.sourceChainSelector),
      String(key.destChainSelector),
      record.position,
      BigInt(record.firstMs),
      BigInt(record.attestationMs),
      record.verifierName,
      record.messageExecutorAddress,
      record.messageCCVAddresses,
      record.encodedMessage,
      record.ccvData,
      microsOf(record.ingestionMs),
      microsOf(record.attestationMs),
      laneName(key),
      record.verdict?.verdict ?? null,
      record.verdict?.configBlock ?? null,
    ];
  },

  sizeOf: (record) =>
    record.encodedMessage.length +
    record.ccvData.length +
    record.messageId.length +
    record.verifierSourceAddress.length +
    record.verifierDestAddress.length +
    32,

  records(data) {
    const cells = cellsOf(data);
    const { messageId, verifierSourceAddress, verifierDestAddress, ingestionMs, position, firstMs } = keyCells(cells);
    const attestationMs = cells.number('attestation_ms');
    const verifierName = cells.text('verifier_name');
    const messageExecutorAddress = cells.hex('message_executor_address');
    const messageCCVAddresses = cells.hexList('message_ccv_addresses');
    const encodedMessage = cells.bytes('encoded_message');
    const ccvData = cells.bytes('ccv_data');
    const verdict = verdicts(cells);
    // the lane is part of the encoded message
    return (row) => ({
      messageId: messageId(row),
      verifierSourceAddress: verifierSourceAddress(row),
      verifierDestAddress: verifierDestAddress(row),
      encodedMessage: encodedMessage(row),
      messageCCVAddresses: messageCCVAddresses(row),
      messageExecutorAddress: messageExecutorAddress(row),
      ccvData: ccvData(row),
      attestationMs: attestationMs(row),
      verifierName: verifierName(row),
      verdict: verdict(row),
      ingestionMs: ingestionMs(row),
      position: position(row),
      firstMs: firstMs(row),
      orphaned: false,
    });
  },

  keys,
  keyOf: (record) => ({
    messageId: record.messageId,
    verifierSourceAddress: record.verifierSourceAddress,
    verifierDestAddress: record.verifierDestAddress,
    ingestionMs: record.ingestionMs,
    position: record.position,
    firstMs: record.firstMs,
    ...readLane(record.encodedMessage),
  }),
  compare: compareOrderKeys,
  indexedId: (key) => key.messageId,
  termKinds: [],
  termsOf: () => [],
  listedLane: laneName,
};

function keys(data: Parameters<RowKind<unknown, RowKey>['keys']>[0]): (row: number) => RowKey {
  const cells = cellsOf(data);
  const { messageId, verifierSourceAddress, verifierDestAddress, ingestionMs, position, firstMs } = keyCells(cells);
  const sourceChainSelector = cells.decimal('source_chain_selector');
  const destChainSelector = cells.decimal('dest_chain_selector');
  return (row) => ({
    ingestionMs: ingestionMs(row),
    messageId: messageId(row),
    verifierSourceAddress: verifierSourceAddress(row),
    verifierDestAddress: verifierDestAddress(row),
    sourceChainSelector: sourceChainSelector(row),
    destChainSelector: destChainSelector(row),
    position: position(row),
    firstMs: firstMs(row),
  });
}

function keyCells(cells: Cells) {
  return {
    messageId: cells.hex('message_id'),
    verifierSourceAddress: cells.hex('verifier_source_address'),
    verifierDestAddress: cells.hex('verifier_dest_address'),
    ingestionMs: cells.number('ingestion_ms'),
    position: cells.bigint('position'),
    firstMs: cells.number('first_ms'),
  };
}

function verdicts(cells: Cells): Cell<SignatureVerdict | null> {
  const verdict = cells.textOrNull('verdict');
  const configBlock = cells.bigint('verdict_config_block');
  return (row) => {
    const text = verdict(row);
    return text === null ? null : { verdict: oneOf(SIGNATURE_VERDICTS, text), configBlock: configBlock(row) };
  };
}
