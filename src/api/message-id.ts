import { InvalidArgumentError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';

/** Pattern of the ids that `parseMessageId` accepts, for the OpenAPI document. */
export const MESSAGE_ID_PATTERN = '^(0[xX])?([0-9a-fA-F]{2}){0,32}$';

const SHAPE = new RegExp(MESSAGE_ID_PATTERN);
const DIGITS = 64;
/** The usual way, and much faster to see. */
const WHOLE = /^0x[0-9a-f]{64}$/;

/**
 * A message id as clients write it: up to 32 bytes of hex, either case, with or without `0x`. Fewer bytes are padded on
 * the left.
 * @throws InvalidArgumentError when it is longer, or not whole bytes of hex.
 */
export function parseMessageId(text: string): Hex {
  if (WHOLE.test(text)) return text as Hex;
  if (text === '' || !SHAPE.test(text))
    throw new InvalidArgumentError('bad messageID: must be hexadecimal, whole bytes, at most 32 of them');
  const digits = text.startsWith('0x') || text.startsWith('0X') ? text.slice(2) : text;
  return `0x${digits.toLowerCase().padStart(DIGITS, '0')}`;
}
