import { InvalidArgumentError } from '../core/errors.js';
import { type Hex, isHex } from '../core/hex.js';
import type { ResultIdentity } from './identity.js';
import type { Execution } from './records.js';

/** The key by which lists are ordered; messages have `0x` for both addresses. */
export interface OrderKey extends ResultIdentity {
  readonly ingestionMs: number;
}

/**
 * The one order. Ids and addresses compare as bytes, a prefix first, which is how lower-case hex strings compare.
 * @returns a number below, at or above 0.
 */
export function compareOrderKeys(a: OrderKey, b: OrderKey): number {
  return a.ingestionMs - b.ingestionMs || compareResults(a, b);
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** The order of verifier results with one ingestion time. */
export function compareResults(a: ResultIdentity, b: ResultIdentity): number {
  return (
    compareText(a.messageId, b.messageId) ||
    compareText(a.verifierSourceAddress, b.verifierSourceAddress) ||
    compareText(a.verifierDestAddress, b.verifierDestAddress)
  );
}

/** The order of messages with one ingestion time. */
export function compareMessages(a: { readonly messageId: Hex }, b: { readonly messageId: Hex }): number {
  return compareText(a.messageId, b.messageId);
}

/** The order of executions in one commit: by message, then as the chain has them. */
export function compareExecutions(a: Execution, b: Execution): number {
  return compareText(a.messageId, b.messageId) || comparePlaces(a, b);
}

/** The order of the executions of one message: as the chain has them; in one place of two branches by block hash. */
export function comparePlaces({ place: a }: Execution, { place: b }: Execution): number {
  if (a.blockNumber !== b.blockNumber) return a.blockNumber < b.blockNumber ? -1 : 1;
  return a.logIndex - b.logIndex || compareText(a.blockHash, b.blockHash);
}

/** The order key of a message. */
export function messageOrderKey(message: { readonly ingestionMs: number; readonly messageId: Hex }): OrderKey {
  return {
    ingestionMs: message.ingestionMs,
    messageId: message.messageId,
    verifierSourceAddress: '0x',
    verifierDestAddress: '0x',
  };
}

/** An opaque, URL-safe page cursor that continues after `key` in every backend. */
export function encodeCursor(key: OrderKey): string {
  const fields = [key.ingestionMs, key.messageId, key.verifierSourceAddress, key.verifierDestAddress];
  return Buffer.from(JSON.stringify(fields)).toString('base64url');
}

/** @throws InvalidArgumentError when `cursor` was not made by `encodeCursor`. */
export function decodeCursor(cursor: string): OrderKey {
  try {
    const fields: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(fields) && fields.length === 4) {
      const [ingestionMs, messageId, verifierSourceAddress, verifierDestAddress] = fields;
      if (
        Number.isSafeInteger(ingestionMs) &&
        isLowerHex(messageId) &&
        isLowerHex(verifierSourceAddress) &&
        isLowerHex(verifierDestAddress)
      )
        return { ingestionMs, messageId, verifierSourceAddress, verifierDestAddress };
    }
  } catch (cause) {
    throw new InvalidArgumentError('cursor is not one of ours: pass the nextCursor of the page before', { cause });
  }
  throw new InvalidArgumentError('cursor is not one of ours: pass the nextCursor of the page before');
}

function isLowerHex(value: unknown): value is Hex {
  return isHex(value) && value === value.toLowerCase();
}
