import type { Hex } from '../core/hex.js';
import type { TokenTransfer } from './message.js';
import { decodeMessage } from './message-codec.js';

/**
 * The JSON text of `message` in answers and verifier results (`README.md`), from canonical bytes: fields in
 * the order listed there, bytes as lower-case hex, empty bytes `null`, empty addresses `""`, 64- and 256-bit numbers
 * with all their digits.
 * @throws MessageDecodeError when the bytes are not a message.
 */
export function messageJson(encodedMessage: Uint8Array): string {
  const m = decodeMessage(encodedMessage);
  return (
    `{"sender":${address(m.sender)},"data":${bytes(m.data)},"on_ramp_address":${address(m.onRampAddress)}` +
    `,"token_transfer":${tokenTransferJson(m.tokenTransfer)},"off_ramp_address":${address(m.offRampAddress)}` +
    `,"dest_blob":${bytes(m.destBlob)},"receiver":${address(m.receiver)}` +
    `,"source_chain_selector":${m.sourceChainSelector},"dest_chain_selector":${m.destChainSelector}` +
    `,"sequence_number":${m.messageNumber},"execution_gas_limit":${m.executionGasLimit}` +
    `,"ccip_receive_gas_limit":${m.ccipReceiveGasLimit},"finality":${m.finality}` +
    `,"ccv_and_executor_hash":"${m.ccvAndExecutorHash}","dest_blob_length":${size(m.destBlob)}` +
    `,"token_transfer_length":${tokenTransferSize(m.tokenTransfer)},"data_length":${size(m.data)}` +
    `,"receiver_length":${size(m.receiver)},"sender_length":${size(m.sender)},"version":${m.version}` +
    `,"off_ramp_address_length":${size(m.offRampAddress)},"on_ramp_address_length":${size(m.onRampAddress)}}`
  );
}

function tokenTransferJson(t: TokenTransfer | null): string {
  if (t === null) return 'null';
  return (
    `{"amount":${t.amount},"source_pool_address":${bytes(t.sourcePoolAddress)}` +
    `,"source_token_address":${bytes(t.sourceTokenAddress)},"dest_token_address":${bytes(t.destTokenAddress)}` +
    `,"token_receiver":${bytes(t.tokenReceiver)},"extra_data":${bytes(t.extraData)},"version":${t.version}` +
    `,"source_pool_address_length":${size(t.sourcePoolAddress)}` +
    `,"source_token_address_length":${size(t.sourceTokenAddress)}` +
    `,"dest_token_address_length":${size(t.destTokenAddress)},"token_receiver_length":${size(t.tokenReceiver)}` +
    `,"extra_data_length":${size(t.extraData)}}`
  );
}

const address = (hex: Hex): string => (hex.length === 2 ? '""' : `"${hex}"`);
const bytes = (hex: Hex): string => (hex.length === 2 ? 'null' : `"${hex}"`);
const size = (hex: Hex): number => (hex.length - 2) >>> 1;

function tokenTransferSize(t: TokenTransfer | null): number {
  if (t === null) return 0;
  return (
    39 +
    size(t.sourcePoolAddress) +
    size(t.sourceTokenAddress) +
    size(t.destTokenAddress) +
    size(t.tokenReceiver) +
    size(t.extraData)
  );
}

export { MessageJsonError, messageFromJson } from './message-from-json.js';
