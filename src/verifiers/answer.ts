import type { Hex } from '../core/hex.js';
import type { VerifierResult } from '../protocol/records.js';
import type { Outcome } from './batcher.js';
import { type CheckContext, checkVerifierResult } from './check-result.js';
import type { Claim, Rejection } from './claim.js';
import { VerifierResultRejectedError, VerifierUnavailableError } from './verifier-errors.js';

/** The content of one answer about the messages that were asked for. */
export interface VerifierAnswer {
  /** An outcome for every id asked; null: not known to the verifier. */
  readonly outcomes: Map<Hex, Outcome<VerifierResult | null>>;
  /** Results that fail a check and belong to no id asked, or to one that has its result. */
  readonly strays: readonly VerifierResultRejectedError[];
  /** The verifier's own complaints, as they came. */
  readonly errors: readonly string[];
}

/** One element of an answer. */
export interface AnswerElement {
  /** `empty`: a message is not known. */
  readonly read: { readonly kind: 'claim'; readonly claim: Claim } | Rejection | { readonly kind: 'empty' };
  /** At most so many of its bytes as they came, for evidence; they own their memory. */
  raw(mostBytes: number): Uint8Array;
  /** The id at whose place it came; null where places say nothing. */
  readonly place: Hex | null;
}

/**
 * Results that an answer may have beyond one for each id asked: more than a service can owe to a mistake. Each of them
 * costs a check, and evidence of its own when it fails, all of it in one turn of the event loop.
 */
const MAX_SPARE_RESULTS = 100;

/** The kept part of an element that is refused for its size. */
const MAX_OVERSIZED_BYTES = 4_096;

/** @throws VerifierUnavailableError `malformed` when there are far more results than ids asked. */
export function checkResultCount(found: number, asked: readonly Hex[], verifier: string): void {
  const mostResults = asked.length + MAX_SPARE_RESULTS;
  if (found > mostResults)
    throw new VerifierUnavailableError(verifier, 'malformed', {
      details: { expected: `at most ${mostResults} results for ${asked.length} ids`, found },
    });
}

/**
 * Checks the elements of an answer and matches them to the ids asked, by the id recomputed from their message, in any
 * order; an unreadable one by its place. A bad one spoils no other.
 */
export function matchResults(
  elements: Iterable<AnswerElement>,
  asked: readonly Hex[],
  context: CheckContext,
): Omit<VerifierAnswer, 'errors'> {
  const outcomes = new Map<Hex, Outcome<VerifierResult | null>>();
  for (const id of asked) outcomes.set(id, { ok: true, value: null });
  /** Ids that have their result, good or bad. */
  const answered = new Map<Hex, VerifierResultRejectedError | VerifierResult>();
  const strays: VerifierResultRejectedError[] = [];

  for (const { read, raw, place } of elements) {
    if (read.kind === 'empty') continue;
    const reject = ({ reason, messageId, detail }: Omit<Rejection, 'kind'>) =>
      new VerifierResultRejectedError({
        verifier: context.verifierName,
        reason,
        messageId,
        detail,
        raw: raw(reason === 'ccv_data_size' ? MAX_OVERSIZED_BYTES : Number.POSITIVE_INFINITY),
      });
    const messageId = read.kind === 'claim' ? read.claim.messageId : (read.messageId ?? place);
    if (messageId === null || !outcomes.has(messageId)) {
      const unrequested = { reason: 'unrequested', messageId, detail: 'nobody asked for it' } as const;
      strays.push(reject(read.kind === 'rejected' ? read : unrequested));
      continue;
    }
    const checked = read.kind === 'claim' ? checkVerifierResult(read.claim, context) : read;
    if (checked.kind === 'discovery-only') continue;
    const before = answered.get(messageId);
    if (before === undefined) {
      answered.set(messageId, checked.kind === 'rejected' ? reject(checked) : checked.result);
    } else if (before instanceof VerifierResultRejectedError && checked.kind === 'verification') {
      // a bad result does not hide the good one after it
      strays.push(before);
      answered.set(messageId, checked.result);
    } else {
      strays.push(reject({ reason: 'duplicate', messageId, detail: 'a second result for the same message' }));
    }
  }
  for (const [messageId, found] of answered)
    outcomes.set(
      messageId,
      found instanceof VerifierResultRejectedError ? { ok: false, error: found } : { ok: true, value: found },
    );
  return { outcomes, strays };
}
