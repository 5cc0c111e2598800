import type { Hex } from '../core/hex.js';
import { JsonSyntaxError, parseExactJson } from '../protocol/exact-json.js';
import { checkJsonBounds, JsonBoundsError } from '../protocol/json-bounds.js';
import type { VerifierResult } from '../protocol/records.js';
import type { Outcome } from './batcher.js';
import { type CheckContext, checkVerifierResult } from './check-result.js';
import { claimFromJson, type Rejection } from './claim.js';
import { rawElements } from './raw-element.js';
import { VerifierResultRejectedError, VerifierUnavailableError } from './verifier-errors.js';

/** The content of one REST answer about the messages that were asked for. */
export interface RestAnswer {
  /** An outcome for every id asked; null: not known to the verifier. */
  readonly outcomes: Map<Hex, Outcome<VerifierResult | null>>;
  /** Results that fail a check and belong to no id asked, or to one that has its result. */
  readonly strays: readonly VerifierResultRejectedError[];
  /** The verifier's own complaints, as they came. */
  readonly errors: readonly string[];
}

/**
 * Results that an answer may have beyond one for each id asked: more than a service can owe to a mistake. Each of them
 * costs a check, and evidence of its own when it fails, all of it in one turn of the event loop.
 */
const MAX_SPARE_RESULTS = 100;

/** The kept part of an element that is refused for its size. */
const MAX_OVERSIZED_CHARS = 4_096;

/**
 * Reads and checks the body of a 200 (`src/protocol/README.md`). Results are matched by the id recomputed from their
 * message, in whatever order they come; a bad one spoils no other.
 * @throws VerifierUnavailableError `malformed` when the body is not the object the wire defines, has far more results
 * than ids were asked for, or has JSON that no honest answer has; `response-too-large` when it has far too many
 * values.
 */
export function readRestAnswer(body: string, asked: readonly Hex[], context: CheckContext): RestAnswer {
  const { results, errors } = parseBody(body, context.verifierName);
  const mostResults = asked.length + MAX_SPARE_RESULTS;
  if (results.length > mostResults)
    throw new VerifierUnavailableError(context.verifierName, 'malformed', {
      details: { expected: `at most ${mostResults} results for ${asked.length} ids`, found: results.length },
    });
  let elements: readonly string[] | null = null;
  const outcomes = new Map<Hex, Outcome<VerifierResult | null>>();
  for (const id of asked) outcomes.set(id, { ok: true, value: null });
  /** Ids that have their result, good or bad. */
  const answered = new Map<Hex, VerifierResultRejectedError | VerifierResult>();
  const strays: VerifierResultRejectedError[] = [];

  results.forEach((value, index) => {
    if (value === null) return;
    const reject = (rejection: Omit<Rejection, 'kind'>) => {
      const { reason, messageId, detail } = rejection;
      elements ??= rawElements(body, 'results');
      const text = elements[index] ?? 'null';
      const raw = Buffer.from(reason === 'ccv_data_size' ? text.slice(0, MAX_OVERSIZED_CHARS) : text);
      return new VerifierResultRejectedError({ verifier: context.verifierName, reason, messageId, detail, raw });
    };
    const read = claimFromJson(value);
    const messageId = read.kind === 'claim' ? read.claim.messageId : read.messageId;
    if (messageId === null || !outcomes.has(messageId)) {
      const unrequested = { reason: 'unrequested', messageId, detail: 'nobody asked for it' } as const;
      strays.push(reject(read.kind === 'rejected' ? read : unrequested));
      return;
    }
    const checked = read.kind === 'claim' ? checkVerifierResult(read.claim, context) : read;
    if (checked.kind === 'discovery-only') return;
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
  });
  for (const [messageId, found] of answered)
    outcomes.set(
      messageId,
      found instanceof VerifierResultRejectedError ? { ok: false, error: found } : { ok: true, value: found },
    );
  return { outcomes, strays, errors };
}

function parseBody(
  body: string,
  verifier: string,
): { readonly results: readonly unknown[]; readonly errors: readonly string[] } {
  let value: unknown;
  try {
    checkJsonBounds(body);
    value = parseExactJson(body);
  } catch (cause) {
    if (cause instanceof JsonBoundsError) {
      const kind = cause.excess === 'size' ? 'response-too-large' : 'malformed';
      throw new VerifierUnavailableError(verifier, kind, { cause, details: cause.details });
    }
    if (!(cause instanceof JsonSyntaxError)) throw cause;
    throw new VerifierUnavailableError(verifier, 'malformed', { cause, details: { expected: 'JSON' } });
  }
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  const { results, errors } = fields;
  if (results === undefined || !isList(results) || !isList(errors))
    throw new VerifierUnavailableError(verifier, 'malformed', {
      details: { expected: 'an object with the lists results and errors' },
    });
  return { results: results ?? [], errors: (errors ?? []).map(complaintText) };
}

/** A hostile complaint need not be text, and most other values cannot be made into text safely. */
function complaintText(complaint: unknown): string {
  return typeof complaint === 'string' ? complaint : `(no text but ${complaint === null ? 'null' : typeof complaint})`;
}

/** A list, or none: an empty list may be written as null, and `errors` may be left out. */
function isList(value: unknown): value is readonly unknown[] | null | undefined {
  return value === null || value === undefined || Array.isArray(value);
}
