import { bytesToHex, type Hex } from '../../../core/hex.js';
import { readContents } from '../../../model/contents-filter.js';

/** Values besides the message id that an index finds rows by. */
export const TERM_KINDS = ['sender', 'receiver', 'token', 'numbers', 'transaction'] as const;
export type TermKind = (typeof TERM_KINDS)[number];

/** A value as an index has it; no message id is one. */
export function indexTerm(kind: TermKind, value: string): string {
  return `${kind} ${value}`;
}

/** Message numbers of a lane that share a term: a row group has some of many lanes, and few terms all the same. */
const NUMBERS = 64n;

/** The block of numbers that a message number is in. */
export function numbersOf(messageNumber: bigint): bigint {
  return messageNumber / NUMBERS;
}

/** A block of message numbers of a lane. */
export function numbersValue(lane: string, block: bigint): string {
  return `${lane} ${block}`;
}

/** The contents that lists are narrowed by. */
export function contentsTerms(encodedMessage: Uint8Array, lane: string): readonly string[] {
  const { sender, receiver, token, messageNumber } = readContents(encodedMessage);
  return [
    indexTerm('numbers', numbersValue(lane, numbersOf(messageNumber))),
    indexTerm('sender', bytesToHex(sender)),
    indexTerm('receiver', bytesToHex(receiver)),
    ...(token ? [indexTerm('token', bytesToHex(token))] : []),
  ];
}

/** The transaction of a log, when it is known. */
export function transactionTerms(place: { readonly transactionHash: Hex } | null): readonly string[] {
  return place ? [indexTerm('transaction', place.transactionHash)] : [];
}
