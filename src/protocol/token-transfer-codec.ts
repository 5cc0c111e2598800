import { ByteReader } from './byte-reader.js';
import { ByteWriter, hexByteLength } from './byte-writer.js';
import type { TokenTransfer } from './message.js';

/** Bytes of a token transfer whose addresses and extra data are all empty. */
export const TOKEN_TRANSFER_BASE_BYTES = 39;

const PREFIX = 'tokenTransfer.';

/**
 * Canonical bytes of a token transfer, version 1 (`README.md`).
 * @throws MessageEncodeError naming the field that does not fit.
 */
export function encodeTokenTransfer(transfer: TokenTransfer): Uint8Array {
  const writer = new ByteWriter(
    TOKEN_TRANSFER_BASE_BYTES +
      hexByteLength(transfer.sourcePoolAddress) +
      hexByteLength(transfer.sourceTokenAddress) +
      hexByteLength(transfer.destTokenAddress) +
      hexByteLength(transfer.tokenReceiver) +
      hexByteLength(transfer.extraData),
    PREFIX,
  );
  writer.version('version', transfer.version);
  writer.u256('amount', transfer.amount);
  writer.hex8('sourcePoolAddress', transfer.sourcePoolAddress);
  writer.hex8('sourceTokenAddress', transfer.sourceTokenAddress);
  writer.hex8('destTokenAddress', transfer.destTokenAddress);
  writer.hex8('tokenReceiver', transfer.tokenReceiver);
  writer.hex16('extraData', transfer.extraData);
  return writer.bytes;
}

/**
 * The inverse of `encodeTokenTransfer`. `base` is where the bytes start in the message, for the offsets in errors.
 * @throws MessageDecodeError naming the field; `tokenTransfer.end` when bytes are left over.
 */
export function decodeTokenTransfer(bytes: Uint8Array, base = 0): TokenTransfer {
  const reader = new ByteReader(bytes, PREFIX, base);
  const transfer: TokenTransfer = {
    version: reader.version('version'),
    amount: reader.u256('amount'),
    sourcePoolAddress: reader.hex8('sourcePoolAddress'),
    sourceTokenAddress: reader.hex8('sourceTokenAddress'),
    destTokenAddress: reader.hex8('destTokenAddress'),
    tokenReceiver: reader.hex8('tokenReceiver'),
    extraData: reader.hex16('extraData'),
  };
  reader.end();
  return transfer;
}
