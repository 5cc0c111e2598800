import type { Hex } from '../core/hex.js';
import { JsonSyntaxError, parseExactJson } from '../protocol/exact-json.js';
import { checkJsonBounds, JsonBoundsError } from '../protocol/json-bounds.js';
import { type AnswerElement, checkResultCount, matchResults, type VerifierAnswer } from './answer.js';
import type { CheckContext } from './check-result.js';
import { claimFromJson } from './claim.js';
import { rawElements } from './raw-element.js';
import { VerifierUnavailableError } from './verifier-errors.js';

/**
 * Reads and checks the body of a 200 (`src/protocol/README.md`). Results are matched by the id recomputed from their
 * message, in whatever order they come; a bad one spoils no other.
 * @throws VerifierUnavailableError `malformed` when the body is not the object the wire defines, has far more results
 * than ids were asked for, or has JSON that no honest answer has; `response-too-large` when it has far too many
 * values.
 */
export function readRestAnswer(body: string, asked: readonly Hex[], context: CheckContext): VerifierAnswer {
  const { results, errors } = parseBody(body, context.verifierName);
  checkResultCount(results.length, asked, context.verifierName);
  let texts: readonly string[] | null = null;
  const elements = results.map((value, index): AnswerElement => {
    return {
      read: value === null ? { kind: 'empty' } : claimFromJson(value),
      raw(mostBytes) {
        texts ??= rawElements(body, 'results');
        return Buffer.from((texts[index] ?? 'null').slice(0, mostBytes));
      },
      place: null,
    };
  });
  return { ...matchResults(elements, asked, context), errors };
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
