import type { Hex } from '../../core/hex.js';
import { compareResults } from '../../model/order.js';
import { readLane } from '../../model/payload.js';
import type { MessageBody, StoredMessage, StoredVerifierResult, VerifierResult } from '../../model/records.js';
import type { Lane } from '../../protocol/message.js';
import type { ByteSlabs } from './byte-slabs.js';
import type { Interner } from './interner.js';

/** The body that a message shares with all its verifier results, held once. */
export interface Body extends MessageBody {
  readonly messageId: Hex;
  /** Interned: the same object for every body of the lane. */
  readonly lane: Lane;
}

/** A copy of everything in `given`. */
export function copyBody(
  given: MessageBody & { readonly messageId: Hex },
  { interner, slabs }: { readonly interner: Interner; readonly slabs: ByteSlabs },
): Body {
  return {
    messageId: interner.own(given.messageId),
    encodedMessage: slabs.copy(given.encodedMessage),
    messageCCVAddresses: interner.addresses(given.messageCCVAddresses),
    messageExecutorAddress: interner.text(given.messageExecutorAddress),
    lane: interner.lane(readLane(given.encodedMessage)),
  };
}

/** The stored form of a message, over the body it shares. */
export function storedMessage(body: Body, given: Omit<StoredMessage, keyof Body>): StoredMessage {
  return {
    messageId: body.messageId,
    encodedMessage: body.encodedMessage,
    messageCCVAddresses: body.messageCCVAddresses,
    messageExecutorAddress: body.messageExecutorAddress,
    origin: given.origin,
    status: given.status,
    ingestionMs: given.ingestionMs,
    position: given.position,
    firstMs: given.firstMs,
    orphaned: given.orphaned,
  };
}

/** The stored form of a verifier result, over the body it shares; `ccvData` is taken as it is. */
export function storedResult(
  body: Body,
  given: Omit<StoredVerifierResult, keyof Body>,
  interner: Interner,
): StoredVerifierResult {
  return {
    messageId: body.messageId,
    verifierSourceAddress: interner.text(given.verifierSourceAddress),
    verifierDestAddress: interner.text(given.verifierDestAddress),
    encodedMessage: body.encodedMessage,
    messageCCVAddresses: body.messageCCVAddresses,
    messageExecutorAddress: body.messageExecutorAddress,
    ccvData: given.ccvData,
    attestationMs: given.attestationMs,
    verifierName: interner.text(given.verifierName),
    verdict: given.verdict,
    ingestionMs: given.ingestionMs,
    position: given.position,
    firstMs: given.firstMs,
    orphaned: given.orphaned,
  };
}

/** The result with this identity; a message has few, so they are searched one by one. */
export function findResult(
  results: readonly StoredVerifierResult[],
  identity: Pick<VerifierResult, 'verifierSourceAddress' | 'verifierDestAddress'>,
): StoredVerifierResult | undefined {
  for (const result of results)
    if (
      result.verifierSourceAddress === identity.verifierSourceAddress &&
      result.verifierDestAddress === identity.verifierDestAddress
    )
      return result;
  return undefined;
}

/** `results` with `result` at its place, instead of the one with its identity; the list itself is left as it was. */
export function withResult(
  results: readonly StoredVerifierResult[],
  result: StoredVerifierResult,
): readonly StoredVerifierResult[] {
  if (results.length === 0) return [result];
  const others = results.filter((other) => compareResults(other, result) < 0);
  const above = results.filter((other) => compareResults(other, result) > 0);
  return [...others, result, ...above];
}
