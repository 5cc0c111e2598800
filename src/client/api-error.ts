import { IndexerError } from '../core/errors.js';

/** An answer that is no 200, as RFC 9457 tells it; `retryable` when the same question may be answered later. */
export class ApiError extends IndexerError {
  readonly status: number;
  /** The reason, for people. */
  readonly detail: string;
  /** For the server's log; null: the answer was of something in between. */
  readonly requestId: string | null;
  /** The pause that the server asks for; null: none. */
  readonly retryAfterMs: number | null;

  constructor(
    status: number,
    detail: string,
    { requestId, retryAfterMs }: Pick<ApiError, 'requestId' | 'retryAfterMs'>,
  ) {
    super('API_ERROR', `the indexer answered ${status}: ${detail}`, status === 429 || status >= 500, {
      details: { status, requestId },
    });
    this.status = status;
    this.detail = detail;
    this.requestId = requestId;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The error of an answer that is no 200. */
export async function apiErrorOf(answer: Response): Promise<ApiError> {
  const text = await answer.text();
  const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : null;
  const requestId = answer.headers.get('x-request-id');
  return new ApiError(answer.status, detailOf(text) ?? answer.statusText, { requestId, retryAfterMs });
}

function detailOf(text: string): string | null {
  try {
    const { detail } = JSON.parse(text) as { readonly detail?: unknown };
    return typeof detail === 'string' ? detail : null;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return null;
    throw thrown;
  }
}
