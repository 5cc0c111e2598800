import { createHash } from 'node:crypto';
import type { Hex } from '../../../core/hex.js';

/** An identity as rows have it: sha256 of its text. */
export function hashIdentity(identity: string): Hex {
  return `0x${createHash('sha256').update(identity).digest('hex')}`;
}
