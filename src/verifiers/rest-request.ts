import { type Dispatcher, request } from 'undici';
import type { Clock } from '../core/clock.js';
import { AbortedError, toError } from '../core/errors.js';
import { firstOutsideLine, networkReason } from '../core/outside-text.js';
import { VerifierUnavailableError } from './verifier-errors.js';

/** One GET to a REST verifier. */
export interface RestRequest {
  /** The name in errors, which do not name the URL: it may hold credentials. */
  readonly verifier: string;
  readonly url: string;
  readonly dispatcher: Dispatcher;
  /** Deadline of the whole exchange, to the last byte of the body. */
  readonly timeoutMs: number;
  /** A longer body is cut off as it is read. */
  readonly maxResponseBytes: number;
  readonly clock: Clock;
  /** The header of W3C Trace Context. */
  readonly traceparent?: string;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });
/** The part of an unwanted body that is read, so that its connection can be used again. */
const MAX_DUMP_BYTES = 16 * 1024;

/**
 * The body of a 200, or null for a 404: "none of them known".
 * @throws VerifierUnavailableError for everything else · AbortedError when `signal` aborts.
 */
export async function getVerifications(options: RestRequest, signal: AbortSignal): Promise<string | null> {
  if (signal.aborted) throw new AbortedError(`request to verifier ${options.verifier}`);
  const ending = new AbortController();
  let timedOut = false;
  const cancelTimeout = options.clock.after(options.timeoutMs, () => {
    timedOut = true;
    ending.abort();
  });
  const onAbort = () => ending.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await exchange(options, ending.signal);
  } catch (cause) {
    if (signal.aborted) throw new AbortedError(`request to verifier ${options.verifier}`, { cause });
    if (cause instanceof VerifierUnavailableError) throw cause;
    if (timedOut)
      throw new VerifierUnavailableError(options.verifier, 'timeout', { details: { timeoutMs: options.timeoutMs } });
    throw new VerifierUnavailableError(options.verifier, 'network', { cause, said: networkReason(toError(cause)) });
  } finally {
    cancelTimeout();
    signal.removeEventListener('abort', onAbort);
  }
}

async function exchange(options: RestRequest, signal: AbortSignal): Promise<string | null> {
  const { verifier, clock, traceparent } = options;
  const response = await request(options.url, {
    dispatcher: options.dispatcher,
    method: 'GET',
    headers: { accept: 'application/json', 'accept-encoding': 'identity', ...(traceparent && { traceparent }) },
    // our own timeout covers both, and time belongs to the clock
    headersTimeout: 0,
    bodyTimeout: 0,
    signal,
  });
  const { statusCode: status, headers, body } = response;
  if (status === 200) return decode(verifier, await readCapped(options, response));
  if (status === 404) {
    await body.dump({ limit: MAX_DUMP_BYTES, signal });
    return null;
  }
  const said = await wordsOf(body as AsyncIterable<Buffer>);
  if (status === 429) {
    const retryAfterMs = parseRetryAfter(headers['retry-after'], clock.nowMs());
    throw new VerifierUnavailableError(verifier, 'rate-limited', { status, said, retryAfterMs });
  }
  throw new VerifierUnavailableError(verifier, status >= 500 ? 'server' : 'refused', { status, said });
}

/** The words of a refusal, as far as they came: they end where the connection or our patience does. */
async function wordsOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes > MAX_DUMP_BYTES) break;
    }
  } catch {
    // the status says the most, and is known
  }
  return firstOutsideLine(Buffer.concat(chunks).toString());
}

async function readCapped(options: RestRequest, response: Dispatcher.ResponseData): Promise<Buffer> {
  const { verifier, maxResponseBytes } = options;
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  // leaving the loop destroys the body and with it the connection: nothing more is read
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxResponseBytes)
      throw new VerifierUnavailableError(verifier, 'response-too-large', { details: { maxResponseBytes } });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, sizeBytes);
}

function decode(verifier: string, bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw new VerifierUnavailableError(verifier, 'malformed', { cause, details: { expected: 'UTF-8' } });
  }
}

const MAX_RETRY_AFTER_MS = 60_000;

/** Milliseconds of a `Retry-After` (seconds, or a date), at most a minute; 0 when there is none that makes sense. */
function parseRetryAfter(header: string | string[] | undefined, nowMs: number): number {
  if (typeof header !== 'string') return 0;
  const afterMs = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - nowMs;
  return Number.isFinite(afterMs) ? Math.min(MAX_RETRY_AFTER_MS, Math.max(0, afterMs)) : 0;
}
