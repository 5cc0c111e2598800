import type { AnswerError } from '../server/ask.js';

/** Why an answer is missing, and a way to ask again. Nothing without an error. */
export function Failure({ error, reload }: { readonly error: AnswerError | null; readonly reload?: () => void }) {
  if (error === null) return null;
  return (
    <p class="notice notice-bad" role="alert">
      <span>{textOf(error)}</span>
      {reload && (
        <button type="button" class="quiet" onClick={reload}>
          Ask again
        </button>
      )}
    </p>
  );
}

function textOf({ status, message }: AnswerError): string {
  switch (status) {
    case 404:
      return 'This indexer does not have it (yet).';
    case 429:
      return 'Too many requests: the indexer asks to wait a moment.';
    case 503:
      return `The whole truth cannot be had right now: ${message}`;
    default:
      return message;
  }
}

/** In the place of a list without entries. */
export function Nothing({ text }: { readonly text: string }) {
  return <p class="nothing">{text}</p>;
}

/** In the place of a first answer. */
export function Loading() {
  return (
    <p class="nothing" role="status">
      Asking…
    </p>
  );
}
