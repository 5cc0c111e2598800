import { ByteReader } from './byte-reader.js';
import { ByteWriter, hexByteLength } from './byte-writer.js';
import type { Message, TokenTransfer } from './message.js';
import { decodeTokenTransfer, encodeTokenTransfer } from './token-transfer-codec.js';

export { MessageDecodeError, MessageEncodeError, type MessageFault } from './message-errors.js';

/** Bytes of a message whose variable fields are all empty. */
export const MESSAGE_BASE_BYTES = 79;

const NO_BYTES = new Uint8Array(0);

/**
 * Canonical bytes of a message, version 1 (`README.md`): `keccak256` of them is the message id. Hex of either
 * case is taken.
 * @throws MessageEncodeError naming the field that does not fit.
 */
export function encodeMessage(message: Message): Uint8Array {
  const tokenTransfer = message.tokenTransfer === null ? NO_BYTES : encodeTokenTransfer(message.tokenTransfer);
  const writer = new ByteWriter(
    MESSAGE_BASE_BYTES +
      hexByteLength(message.onRampAddress) +
      hexByteLength(message.offRampAddress) +
      hexByteLength(message.sender) +
      hexByteLength(message.receiver) +
      hexByteLength(message.destBlob) +
      tokenTransfer.length +
      hexByteLength(message.data),
  );
  writer.version('version', message.version);
  writer.u64('sourceChainSelector', message.sourceChainSelector);
  writer.u64('destChainSelector', message.destChainSelector);
  writer.u64('messageNumber', message.messageNumber);
  writer.u32('executionGasLimit', message.executionGasLimit);
  writer.u32('ccipReceiveGasLimit', message.ccipReceiveGasLimit);
  writer.u32('finality', message.finality);
  writer.hex('ccvAndExecutorHash', message.ccvAndExecutorHash, 32);
  writer.hex8('onRampAddress', message.onRampAddress);
  writer.hex8('offRampAddress', message.offRampAddress);
  writer.hex8('sender', message.sender);
  writer.hex8('receiver', message.receiver);
  writer.hex16('destBlob', message.destBlob);
  writer.bytes16('tokenTransfer', tokenTransfer);
  writer.hex16('data', message.data);
  return writer.bytes;
}

/**
 * The inverse of `encodeMessage`. Decoding and encoding give the same bytes: there is one encoding per message.
 * @throws MessageDecodeError naming the first field that is cut short or wrong; `end` when bytes are left over.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new ByteReader(bytes);
  const message: Message = {
    version: reader.version('version'),
    sourceChainSelector: reader.u64('sourceChainSelector'),
    destChainSelector: reader.u64('destChainSelector'),
    messageNumber: reader.u64('messageNumber'),
    executionGasLimit: reader.u32('executionGasLimit'),
    ccipReceiveGasLimit: reader.u32('ccipReceiveGasLimit'),
    finality: reader.u32('finality'),
    ccvAndExecutorHash: reader.hex('ccvAndExecutorHash', 32),
    onRampAddress: reader.hex8('onRampAddress'),
    offRampAddress: reader.hex8('offRampAddress'),
    sender: reader.hex8('sender'),
    receiver: reader.hex8('receiver'),
    destBlob: reader.hex16('destBlob'),
    tokenTransfer: readTokenTransfer(reader),
    data: reader.hex16('data'),
  };
  reader.end();
  return message;
}

/** The fields of a message by which its event is checked. */
export interface MessageOutline
  extends Pick<
    Message,
    'sourceChainSelector' | 'destChainSelector' | 'ccvAndExecutorHash' | 'onRampAddress' | 'sender' | 'tokenTransfer'
  > {}

/**
 * As `decodeMessage`, with the same errors, without the other fields: a backfill reads a message only to
 * check it, and the text of its data takes longer than the rest.
 */
export function outlineMessage(bytes: Uint8Array): MessageOutline {
  const reader = new ByteReader(bytes);
  reader.version('version');
  const sourceChainSelector = reader.u64('sourceChainSelector');
  const destChainSelector = reader.u64('destChainSelector');
  reader.skip('messageNumber', 8);
  reader.skip('executionGasLimit', 4);
  reader.skip('ccipReceiveGasLimit', 4);
  reader.skip('finality', 4);
  const ccvAndExecutorHash = reader.hex('ccvAndExecutorHash', 32);
  const onRampAddress = reader.hex8('onRampAddress');
  reader.skip('offRampAddress', reader.u8('offRampAddress'));
  const sender = reader.hex8('sender');
  reader.skip('receiver', reader.u8('receiver'));
  reader.skip('destBlob', reader.u16('destBlob'));
  const tokenTransfer = readTokenTransfer(reader);
  reader.skip('data', reader.u16('data'));
  reader.end();
  return { sourceChainSelector, destChainSelector, ccvAndExecutorHash, onRampAddress, sender, tokenTransfer };
}

function readTokenTransfer(reader: ByteReader): TokenTransfer | null {
  const length = reader.u16('tokenTransfer');
  const start = reader.offset;
  return length === 0 ? null : decodeTokenTransfer(reader.view('tokenTransfer', length), start);
}
