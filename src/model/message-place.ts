import { bytesToHex, type Hex } from '../core/hex.js';
import type { Lane } from '../protocol/message.js';
import { readLane } from './payload.js';

/** The place of a message among those of its OnRamp and destination. */
export interface MessagePlace extends Lane {
  readonly messageNumber: bigint;
  readonly onRampAddress: Hex;
}

const NUMBER_AT = 17;
/** The length of the OnRamp's address, in one byte; the address follows. */
const ON_RAMP_AT = 69;

/**
 * The place of a canonical message, without the cost of decoding it (offsets: `src/protocol/README.md`).
 * @throws InvalidArgumentError when it is shorter than any message.
 */
export function readMessagePlace(encodedMessage: Uint8Array): MessagePlace {
  const lane = readLane(encodedMessage);
  const length = encodedMessage[ON_RAMP_AT] ?? 0;
  const address = encodedMessage.subarray(ON_RAMP_AT + 1, ON_RAMP_AT + 1 + length);
  const view = new DataView(encodedMessage.buffer, encodedMessage.byteOffset + NUMBER_AT, 8);
  return { ...lane, messageNumber: view.getBigUint64(0), onRampAddress: bytesToHex(address) };
}
