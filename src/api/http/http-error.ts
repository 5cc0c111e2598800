import { STATUS_CODES } from 'node:http';
import { AbortedError, ClosedError, IndexerError, InvalidArgumentError } from '../../core/errors.js';
import { secrets } from '../../core/masker.js';
import { LanesBehindError } from '../../lanes/lanes.js';
import { CCVDataNotFoundError, CoverageGapError, type Gap, MessageNotFoundError } from '../../model/storage-errors.js';

/** A request that ends in an error answer of its own making: its message is shown to the client as it is. */
export class HttpError extends IndexerError {
  readonly status: number;
  constructor(status: number, message: string) {
    super('HTTP_ERROR', message, false, { details: { status } });
    this.status = status;
  }
}

/** A failure as the client sees it. */
export interface ErrorAnswer {
  readonly status: number;
  readonly message: string;
}

/** The error body of every answer that is not a 200 (`src/api/README.md`). */
export function errorBody({ status, message }: ErrorAnswer): string {
  return JSON.stringify({ success: false, status, message: secrets.text(message) });
}

/** The same as a problem of RFC 9457; `instance` is the request's id. */
export function problemBody({ status, message }: ErrorAnswer, requestId: string): string {
  const detail = secrets.text(message);
  return JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail, instance: requestId });
}

/**
 * The answer for `thrown`. Only errors made for the caller show their own text; others show a constant one, so that no
 * SQL, host name or stack leaves the process. A failure that can pass is a 503, never an answer with less in it:
 * clients go to another indexer on every status but 200 and 404.
 */
export function errorAnswer(thrown: unknown, requestId: string): ErrorAnswer {
  if (thrown instanceof HttpError) return { status: thrown.status, message: thrown.message };
  if (thrown instanceof InvalidArgumentError) return { status: 400, message: thrown.message };
  if (thrown instanceof CCVDataNotFoundError || thrown instanceof MessageNotFoundError)
    return { status: 404, message: 'MessageID not found' };
  if (thrown instanceof CoverageGapError) {
    const remedy = thrown.remedy === null ? '' : `: ${thrown.remedy}`;
    return { status: 503, message: `storage cannot answer now for ${describeGap(thrown.gap)}${remedy}` };
  }
  if (thrown instanceof LanesBehindError) return { status: 503, message: thrown.message };
  if (thrown instanceof ClosedError || thrown instanceof AbortedError)
    return { status: 503, message: 'the indexer is shutting down' };
  if (thrown instanceof IndexerError && thrown.retryable) return { status: 503, message: 'storage cannot answer now' };
  return { status: 500, message: `internal error (request ${requestId})` };
}

function describeGap(gap: Gap): string {
  switch (gap.kind) {
    case 'time':
      return `ingestion times ${describeMs(gap.startMs)} to ${describeMs(gap.endMs)}`;
    case 'messageId':
      return `message ${gap.messageId}`;
    case 'transaction':
      return `transaction ${gap.transactionHash}`;
    case 'position':
      return `changes after position ${gap.afterPosition}`;
  }
}

const MAX_DATE_MS = 8.64e15;

function describeMs(ms: number): string {
  return Math.abs(ms) <= MAX_DATE_MS ? new Date(ms).toISOString() : 'now';
}
