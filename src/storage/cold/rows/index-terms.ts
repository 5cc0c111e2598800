import { bytesToHex, type Hex } from '../../../core/hex.js';
import { readContents } from '../../../model/contents-filter.js';

/** Values besides the message id that an index finds rows by. */
export const TERM_KINDS = ['sender', 'receiver', 'token', 'transaction'] as const;
export type TermKind = (typeof TERM_KINDS)[number];

/** A value as an index has it; no message id is one. */
export function indexTerm(kind: TermKind, value: Hex): string {
  return `${kind} ${value}`;
}

/** The addresses that lists are narrowed by. */
export function contentsTerms(encodedMessage: Uint8Array): readonly string[] {
  const { sender, receiver, token } = readContents(encodedMessage);
  return [
    indexTerm('sender', bytesToHex(sender)),
    indexTerm('receiver', bytesToHex(receiver)),
    ...(token ? [indexTerm('token', bytesToHex(token))] : []),
  ];
}

/** The transaction of a log, when it is known. */
export function transactionTerms(place: { readonly transactionHash: Hex } | null): readonly string[] {
  return place ? [indexTerm('transaction', place.transactionHash)] : [];
}
