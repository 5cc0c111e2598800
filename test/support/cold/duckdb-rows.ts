import { expect } from 'vitest';
import { bytesToHex } from '../../../src/core/hex.js';
import { readContents } from '../../../src/model/contents-filter.js';
import { readLane } from '../../../src/model/payload.js';
import type { StoredExecution, StoredMessage, StoredVerifierResult } from '../../../src/model/records.js';
import type { Message } from '../../../src/protocol/message.js';
import { decodeMessage, MessageDecodeError } from '../../../src/protocol/message-codec.js';
import { LEDGER_ROWS, type LedgerChange } from '../../../src/storage/cold/rows/ledger.js';

/** A row of a query: bytes as hex, 64-bit numbers as bigint, times as microseconds. */
type Row = Readonly<Record<string, unknown>>;

const body = (record: StoredMessage | StoredVerifierResult) => {
  const lane = readLane(record.encodedMessage);
  return {
    ingestion_ms: BigInt(record.ingestionMs),
    message_id: record.messageId,
    source_chain_selector: String(lane.sourceChainSelector),
    dest_chain_selector: String(lane.destChainSelector),
    position: record.position,
    first_ms: BigInt(record.firstMs),
    message_executor_address: record.messageExecutorAddress,
    message_ccv_addresses: record.messageCCVAddresses,
    encoded_message: bytesToHex(record.encodedMessage),
    ingestion_time: BigInt(record.ingestionMs) * 1000n,
    lane: `${lane.sourceChainSelector}-${lane.destChainSelector}`,
  };
};

/** The row of a verifier result. */
export const expectedResult = (record: StoredVerifierResult): Row => ({
  ...body(record),
  verifier_source_address: record.verifierSourceAddress,
  verifier_dest_address: record.verifierDestAddress,
  attestation_ms: BigInt(record.attestationMs),
  attestation_time: BigInt(record.attestationMs) * 1000n,
  verifier_name: record.verifierName,
  ccv_data: bytesToHex(record.ccvData),
  verdict: record.verdict?.verdict ?? null,
  verdict_config_block: record.verdict?.configBlock ?? null,
});

/** The row of an execution. */
export const expectedExecution = (record: StoredExecution): Row => ({
  ingestion_ms: BigInt(record.ingestionMs),
  message_id: record.messageId,
  source_chain_selector: String(record.sourceChainSelector),
  dest_chain_selector: String(record.destChainSelector),
  position: record.position,
  block_number: record.place.blockNumber,
  log_index: BigInt(record.place.logIndex),
  block_hash: record.place.blockHash,
  block_timestamp_ms: BigInt(record.place.blockTimestampMs),
  transaction_hash: record.place.transactionHash,
  state: record.state,
  message_number: record.messageNumber,
  off_ramp_address: record.offRamp,
  return_data: bytesToHex(record.returnData),
  ingestion_time: BigInt(record.ingestionMs) * 1000n,
  block_time: BigInt(record.place.blockTimestampMs) * 1000n,
  lane: `${record.sourceChainSelector}-${record.destChainSelector}`,
});

/** The row of a message. */
export const expectedMessage = (record: StoredMessage): Row => ({
  ...body(record),
  status: record.status,
  block_number: record.origin?.blockNumber ?? null,
  log_index: record.origin ? BigInt(record.origin.logIndex) : null,
  block_hash: record.origin?.blockHash ?? null,
  block_timestamp_ms: record.origin ? BigInt(record.origin.blockTimestampMs) : null,
  transaction_hash: record.origin?.transactionHash ?? null,
  block_time: record.origin ? BigInt(record.origin.blockTimestampMs) * 1000n : null,
  ...contentsOf(record.encodedMessage),
});

/** The columns of the message alone: null but for its number when it cannot be decoded, and its bytes instead. */
function contentsOf(encodedMessage: Uint8Array): Row {
  let message: Message | null = null;
  try {
    message = decodeMessage(encodedMessage);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(MessageDecodeError);
  }
  if (message !== null && message.messageNumber >= 2n ** 63n) message = null;
  const { messageNumber } = readContents(encodedMessage);
  const token = message?.tokenTransfer ?? null;
  return {
    encoded_message: message === null ? bytesToHex(encodedMessage) : null,
    message_number: messageNumber < 2n ** 63n ? messageNumber : null,
    sender: message?.sender ?? null,
    receiver: message?.receiver ?? null,
    on_ramp_address: message?.onRampAddress ?? null,
    off_ramp_address: message?.offRampAddress ?? null,
    finality: message && BigInt(message.finality),
    execution_gas_limit: message && BigInt(message.executionGasLimit),
    ccip_receive_gas_limit: message && BigInt(message.ccipReceiveGasLimit),
    ccv_and_executor_hash: message?.ccvAndExecutorHash ?? null,
    token_amount: token && String(token.amount),
    token_amount_decimal: token && token.amount < 10n ** 38n ? token.amount : null,
    token_source_address: token?.sourceTokenAddress ?? null,
    token_source_pool_address: token?.sourcePoolAddress ?? null,
    token_dest_address: token?.destTokenAddress ?? null,
    token_receiver: token?.tokenReceiver ?? null,
    token_extra_data: token?.extraData ?? null,
    data: message?.data ?? null,
    dest_blob: message?.destBlob ?? null,
  };
}

/** The row of a change of the ledger. */
export function expectedChange({ kind, position, record }: LedgerChange): Row {
  const nothing = Object.fromEntries(LEDGER_ROWS.columns.map(({ name }) => [name, null]));
  const key = { ...nothing, kind, position };
  switch (kind) {
    case 'cursor':
      return {
        ...key,
        identity: JSON.stringify([record.sourceId]),
        source_id: record.sourceId,
        height: record.height,
        hash: record.hash,
      };
    case 'quarantine':
      return {
        ...key,
        identity: JSON.stringify([record.sourceId, record.key]),
        ingestion_ms: BigInt(record.ingestionMs),
        source_id: record.sourceId,
        key: record.key,
        reason: record.reason,
        detail: record.detail,
        raw: bytesToHex(record.raw),
        message_id: record.messageId,
      };
    case 'conflict':
      return {
        ...key,
        identity: JSON.stringify([
          record.record,
          record.messageId,
          record.verifierSourceAddress,
          record.verifierDestAddress,
          record.receivedHash,
        ]),
        ingestion_ms: BigInt(record.ingestionMs),
        message_id: record.messageId,
        record: record.record,
        verifier_source_address: record.verifierSourceAddress,
        verifier_dest_address: record.verifierDestAddress,
        stored_hash: record.storedHash,
        received_hash: record.receivedHash,
      };
  }
}
