import type { Hex } from '../core/hex.js';

import type { StoredMessage, StoredVerifierResult } from './records.js';

/** The wanted part of a message's verifier results: outlines beyond some bytes, as in `ListQuery`, or one result. */
export type ResultsPart =
  | { readonly maxBytes: number }
  | { readonly verifierSourceAddress: Hex; readonly verifierDestAddress: Hex };

const NO_BYTES = new Uint8Array(0);
const NO_CONTENTS = { encodedMessage: NO_BYTES, messageCCVAddresses: [], messageExecutorAddress: '0x' } as const;

/** All that counts of a message without its contents. */
export function outlineOfMessage(message: Omit<StoredMessage, keyof typeof NO_CONTENTS>): StoredMessage {
  return { ...message, ...NO_CONTENTS, outline: true };
}

/** All that counts of a verifier result without its contents. */
export function outlineOfResult(
  result: Omit<
    StoredVerifierResult,
    keyof typeof NO_CONTENTS | 'ccvData' | 'attestationMs' | 'verifierName' | 'verdict'
  >,
): StoredVerifierResult {
  return {
    ...result,
    ...NO_CONTENTS,
    ccvData: NO_BYTES,
    attestationMs: 0,
    verifierName: '',
    verdict: null,
    outline: true,
  };
}

/** Bytes of the contents of a record: the part that can be large. */
export function contentBytes(record: StoredMessage | StoredVerifierResult): number {
  const { encodedMessage, ccvData }: { encodedMessage: Uint8Array; ccvData?: Uint8Array } = record;
  return encodedMessage.length + (ccvData?.length ?? 0);
}

/** The records, as outlines once `maxBytes` are reached or one is an outline; the same list when none is. */
export function boundedBy<T extends StoredMessage | StoredVerifierResult>(
  records: readonly T[],
  maxBytes: number,
  outlineOf: (record: T) => T,
): readonly T[] {
  if (maxBytes === Number.POSITIVE_INFINITY) return records;
  let bytes = 0;
  let first = 0;
  for (const record of records) {
    if (bytes >= maxBytes || record.outline)
      return [...records.slice(0, first), ...records.slice(first).map(outlineOf)];
    bytes += contentBytes(record);
    first += 1;
  }
  return records;
}

/** `part` of all results of a message. */
export function partOfResults(
  results: readonly StoredVerifierResult[],
  part: ResultsPart | undefined,
): readonly StoredVerifierResult[] {
  if (part === undefined) return results;
  if ('maxBytes' in part) return boundedBy(results, part.maxBytes, outlineOfResult);
  return results.filter((result) => isWanted(result, part));
}

/** Whether `part` names the result, or does not name any. */
export function isWanted(
  result: Pick<StoredVerifierResult, 'verifierSourceAddress' | 'verifierDestAddress'>,
  part: ResultsPart | undefined,
): boolean {
  return (
    part === undefined ||
    'maxBytes' in part ||
    (result.verifierSourceAddress === part.verifierSourceAddress &&
      result.verifierDestAddress === part.verifierDestAddress)
  );
}

/** The record that `outline` is of: `whole` is the same record in another state. */
export function withContents<T extends StoredMessage | StoredVerifierResult>(outline: T, whole: T): T {
  const { ingestionMs, position, firstMs, orphaned } = outline;
  const stamp = { ingestionMs, position, firstMs, orphaned };
  if (!('status' in outline) || !('status' in whole)) return { ...whole, ...stamp };
  return { ...whole, ...stamp, status: outline.status, origin: outline.origin ?? whole.origin };
}

/** A page of bookkeeping ends with the record that reaches so many bytes: no reader is promised its length. */
export const MAX_PAGE_BYTES = 8 << 20;

/** The records in front of the first outline: at least one, because the first is never an outline. */
export function wholeOnes<T extends StoredMessage | StoredVerifierResult>(records: readonly T[]): readonly T[] {
  const first = records.findIndex(({ outline }) => outline);
  return first < 0 ? records : records.slice(0, first);
}
