import { InvalidArgumentError } from '../core/errors.js';
import { createDispatcher } from '../core/network/http-agents.js';
import { createBatchedReader, DEFAULT_CONCURRENT_REQUESTS, type ReaderOptions } from './batched-reader.js';
import { getVerifications } from './rest-request.js';
import { readRestAnswer } from './rest-response.js';
import type { VerifierReader } from './verifier-reader.js';

/** Options of the reader of a REST verifier. A batch is smaller where the request line would exceed 8 000 bytes. */
export interface RestReaderOptions extends ReaderOptions {
  /** `http(s)`, with or without a path and a slash at its end. */
  readonly baseUrl: string;
}

/** Proxies commonly refuse request lines above 8 KiB. */
const MAX_REQUEST_TARGET_BYTES = 8_000;
const ID_BYTES = '&messageID='.length + 66;

/**
 * A reader of a REST verifier.
 * @throws InvalidArgumentError when `baseUrl` is no http(s) URL, or too long for even one id.
 */
export function createRestReader(options: RestReaderOptions): VerifierReader {
  const { name, baseUrl, requestTimeoutMs, maxResponseBytes, common } = options;
  const prefix = urlPrefix(baseUrl, name);
  const fitting = { ...options, batchSize: batchSize(prefix, options) };
  const dispatcher = createDispatcher(baseUrl, {
    connections: options.maxConcurrentRequests ?? DEFAULT_CONCURRENT_REQUESTS,
    connectTimeout: requestTimeoutMs,
  });
  return createBatchedReader(fitting, {
    async ask(messageIds, context, signal, traceparent) {
      const body = await getVerifications(
        {
          verifier: name,
          url: prefix + messageIds.map((id) => `messageID=${id}`).join('&'),
          dispatcher,
          timeoutMs: requestTimeoutMs,
          maxResponseBytes,
          clock: common.clock,
          ...(traceparent !== undefined && { traceparent }),
        },
        signal,
      );
      return readRestAnswer(body ?? '{"results":[]}', messageIds, context);
    },
    close: () => dispatcher.destroy(),
  });
}

/** The URL up to the first `messageID`. */
function urlPrefix(baseUrl: string, verifier: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new InvalidArgumentError(`BaseURL of verifier ${verifier} is no http or https URL`);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/verifications`;
  url.hash = '';
  return `${url.href}${url.search === '' ? '?' : '&'}`;
}

function batchSize(prefix: string, options: RestReaderOptions): number {
  const fits = Math.floor((MAX_REQUEST_TARGET_BYTES - prefix.length) / ID_BYTES);
  if (fits < 1) throw new InvalidArgumentError(`BaseURL of verifier ${options.name} is too long`);
  return Math.min(fits, options.batchSize);
}
