import type { Dispatcher } from 'undici';
import type { Backoff } from '../core/backoff.js';
import type { Common } from '../core/common.js';
import { InvalidArgumentError, toError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import { createDispatcher } from '../core/outbound-proxy.js';
import { outsideText } from '../core/outside-text.js';
import { createRareWarning, type RareWarning } from '../core/rare-warning.js';
import { createRateLimiter } from '../core/rate-limiter.js';
import type { VerifierResult } from '../protocol/records.js';
import { canonicalAddress } from './address.js';
import { createBatcher, type Outcome } from './batcher.js';
import { createResilience } from './resilience.js';
import { createRestMetrics } from './rest-metrics.js';
import { getVerifications } from './rest-request.js';
import { type RestAnswer, readRestAnswer } from './rest-response.js';
import { type UnavailableKind, VerifierResultRejectedError, VerifierUnavailableError } from './verifier-errors.js';
import type { VerifierReader } from './verifier-reader.js';

/** Options of the reader of a REST verifier. */
export interface RestReaderOptions {
  /** The name in logs, metrics and `VerifierResult.verifierName`. */
  readonly name: string;
  readonly issuerAddresses: readonly Hex[];
  /** `http(s)`, with or without a path and a slash at its end. */
  readonly baseUrl: string;
  /** Deadline of one request, to the last byte of its answer. */
  readonly requestTimeoutMs: number;
  /** Most message ids in one request; fewer where the request line would exceed 8 000 bytes. */
  readonly batchSize: number;
  /** Time for which the first id of a batch waits for more. */
  readonly maxBatchWaitMs: number;
  /** Longer answers are cut off, and asked for again in halves. */
  readonly maxResponseBytes: number;
  /** Results with more `ccv_data` are rejected. Default 128 KiB. */
  readonly maxCCVDataBytes?: number;
  /** Default 4. */
  readonly maxConcurrentRequests?: number;
  /** Default 50. */
  readonly requestsPerSecond?: number;
  /** Tries after the first one, for one request. Default 2. */
  readonly retries?: number;
  /** Default from 200 ms to 2 s. */
  readonly retryBackoff?: Backoff;
  /** Failed requests in a row that open the circuit. Default 5. */
  readonly failuresToOpen?: number;
  /** Time in the open state. Default from 1 s, doubling to 30 s. */
  readonly openBackoff?: Backoff;
  readonly common: Common;
}

/** Proxies commonly refuse request lines above 8 KiB. */
const MAX_REQUEST_TARGET_BYTES = 8_000;
const ID_BYTES = '&messageID='.length + 66;
const MAX_QUEUED_REQUESTS = 1_000;
const COMPLAINTS_LOGGED_EVERY_MS = 10_000;

/** Statuses that the ids of a request can be to blame for. */
const ABOUT_THE_REQUEST: ReadonlySet<number> = new Set([400, 413, 414, 422, 431]);
const TRANSIENT: ReadonlySet<UnavailableKind> = new Set(['network', 'timeout', 'server', 'rate-limited']);
const AGAINST_SERVICE: ReadonlySet<UnavailableKind> = new Set([
  'network',
  'timeout',
  'server',
  'refused',
  'response-too-large',
  'malformed',
]);

/**
 * A reader of a REST verifier.
 * @throws InvalidArgumentError when `baseUrl` is no http(s) URL, or too long for even one id.
 */
export function createRestReader(options: RestReaderOptions): VerifierReader {
  return new RestReader(options);
}

/** An error, and whether the request behind it had more than one id, so that it may not be the service's fault. */
class RequestFailure extends Error {
  constructor(
    readonly error: VerifierUnavailableError,
    readonly shared: boolean,
  ) {
    super(error.message, { cause: error });
  }
}

class RestReader implements VerifierReader {
  readonly name: string;
  readonly issuerAddresses: readonly Hex[];
  readonly #options: RestReaderOptions;
  readonly #issuers: ReadonlySet<Hex>;
  readonly #urlPrefix: string;
  readonly #agent: Dispatcher;
  readonly #batcher;
  readonly #limiter;
  readonly #resilience;
  readonly #metrics;
  readonly #strayListeners = new Set<(rejected: VerifierResultRejectedError) => void>();
  #lastSuccessMs: number | null = null;
  #failure: { readonly error: VerifierUnavailableError; readonly atMs: number; readonly inARow: number } | null = null;
  readonly #warn: RareWarning;
  #complaintsQuietUntilMs = 0;
  #closed: Promise<void> | null = null;

  constructor(options: RestReaderOptions) {
    const { name, common } = options;
    const maxConcurrentRequests = options.maxConcurrentRequests ?? 4;
    this.name = name;
    this.issuerAddresses = options.issuerAddresses.map((address) => address.toLowerCase() as Hex);
    this.#options = options;
    this.#issuers = new Set(options.issuerAddresses.map(canonicalAddress));
    this.#urlPrefix = urlPrefix(options.baseUrl, name);
    this.#agent = createDispatcher(options.baseUrl, {
      connections: maxConcurrentRequests,
      connectTimeout: options.requestTimeoutMs,
    });
    this.#metrics = createRestMetrics(common);
    this.#warn = createRareWarning(common);
    const perSecond = options.requestsPerSecond ?? 50;
    this.#limiter = createRateLimiter({ perSecond, clock: common.clock });
    this.#resilience = createResilience({
      verifier: name,
      maxConcurrentRequests,
      maxQueuedRequests: MAX_QUEUED_REQUESTS,
      failuresToOpen: options.failuresToOpen ?? 5,
      openBackoff: options.openBackoff ?? { baseMs: 1_000, maxMs: 30_000 },
      retries: options.retries ?? 2,
      retryBackoff: options.retryBackoff ?? { baseMs: 200, maxMs: 2_000 },
      countsAgainstService: (thrown) =>
        thrown instanceof RequestFailure &&
        AGAINST_SERVICE.has(thrown.error.kind) &&
        !(thrown.shared && isSplittable(thrown.error)),
      isTransient: (thrown) => thrown instanceof RequestFailure && TRANSIENT.has(thrown.error.kind),
      lastFailure: () => this.#failure && { reason: this.#failure.error.reason, failures: this.#failure.inARow },
      common,
    });
    this.#batcher = createBatcher<Hex, VerifierResult | null>({
      name: `verifier ${name}`,
      maxSize: batchSize(this.#urlPrefix, options),
      maxWaitMs: options.maxBatchWaitMs,
      clock: common.clock,
      run: (messageIds, signal) => this.#ask(messageIds, signal),
    });
  }

  read(messageId: Hex, signal?: AbortSignal): Promise<VerifierResult | null> {
    return this.#batcher.add(messageId, signal);
  }

  onStray(listener: (rejected: VerifierResultRejectedError) => void): () => void {
    this.#strayListeners.add(listener);
    return () => this.#strayListeners.delete(listener);
  }

  status() {
    return {
      circuit: this.#resilience.circuit(),
      lastSuccessMs: this.#lastSuccessMs,
      lastError: this.#failure?.error.message ?? null,
      lastErrorMs: this.#failure?.atMs ?? null,
      lastErrorStatus: this.#failure?.error.status ?? null,
      failuresInARow: this.#failure?.inARow ?? 0,
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#batcher.close().then(() => this.#agent.destroy());
    return this.#closed;
  }

  /**
   * Asks for all ids at once, and in halves where that fails because of an id. Halves one after the other: when it is
   * the service after all, the circuit opens within a few of them and ends the rest.
   */
  async #ask(messageIds: readonly Hex[], signal: AbortSignal): Promise<Map<Hex, Outcome<VerifierResult | null>>> {
    try {
      return this.#take(await this.#request(messageIds, signal));
    } catch (thrown) {
      const error = toError(thrown);
      if (signal.aborted || messageIds.length === 1 || !isSplittable(error))
        return new Map(messageIds.map((id) => [id, { ok: false, error }]));
      const middle = messageIds.length >>> 1;
      const first = await this.#ask(messageIds.slice(0, middle), signal);
      const second = await this.#ask(messageIds.slice(middle), signal);
      return new Map([...first, ...second]);
    }
  }

  async #request(messageIds: readonly Hex[], signal: AbortSignal): Promise<RestAnswer> {
    try {
      const answer = await this.#resilience.execute(() => this.#attempt(messageIds, signal), signal);
      this.#lastSuccessMs = this.#options.common.clock.nowMs();
      this.#failure = null;
      return answer;
    } catch (thrown) {
      throw thrown instanceof RequestFailure ? thrown.error : toError(thrown);
    }
  }

  #failed(error: VerifierUnavailableError): void {
    const inARow = (this.#failure?.inARow ?? 0) + 1;
    this.#failure = { error, atMs: this.#options.common.clock.nowMs(), inARow };
    const { kind, status, reason } = error;
    this.#warn({ verifier: this.name, kind, status, reason, failures: inARow }, 'a request to a verifier failed');
  }

  async #attempt(messageIds: readonly Hex[], signal: AbortSignal): Promise<RestAnswer> {
    const { name, common, requestTimeoutMs, maxResponseBytes, maxCCVDataBytes } = this.#options;
    const { clock } = common;
    await this.#limiter.take(signal);
    const startMs = clock.monotonicMs();
    let outcome: UnavailableKind | 'success' | 'aborted' = 'success';
    try {
      const body = await getVerifications(
        {
          verifier: name,
          url: this.#urlPrefix + messageIds.map((id) => `messageID=${id}`).join('&'),
          dispatcher: this.#agent,
          timeoutMs: requestTimeoutMs,
          maxResponseBytes,
          clock,
        },
        signal,
      );
      const context = {
        verifierName: name,
        issuers: this.#issuers,
        nowMs: clock.nowMs(),
        ...(maxCCVDataBytes && { maxCCVDataBytes }),
      };
      return readRestAnswer(body ?? '{"results":[]}', messageIds, context);
    } catch (thrown) {
      outcome = thrown instanceof VerifierUnavailableError ? thrown.kind : 'aborted';
      if (!(thrown instanceof VerifierUnavailableError)) throw thrown;
      this.#failed(thrown);
      if (thrown.retryAfterMs > 0) this.#limiter.pause(thrown.retryAfterMs);
      throw new RequestFailure(thrown, messageIds.length > 1);
    } finally {
      this.#metrics.duration.observe({ verifier: name, outcome }, (clock.monotonicMs() - startMs) / 1_000);
      this.#metrics.batch.observe({ verifier: name }, messageIds.length);
    }
  }

  #take(answer: RestAnswer): Map<Hex, Outcome<VerifierResult | null>> {
    const { name, common } = this.#options;
    for (const outcome of answer.outcomes.values())
      if (!outcome.ok && outcome.error instanceof VerifierResultRejectedError)
        this.#metrics.rejected.inc({ verifier: name, reason: outcome.error.reason });
    for (const stray of answer.strays) {
      this.#metrics.rejected.inc({ verifier: name, reason: stray.reason });
      for (const listener of this.#strayListeners) listener(stray);
    }
    if (answer.errors.length > 0) this.#metrics.complaints.inc({ verifier: name }, answer.errors.length);
    const nowMs = common.clock.nowMs();
    if (answer.errors.length > 0 && nowMs >= this.#complaintsQuietUntilMs) {
      this.#complaintsQuietUntilMs = nowMs + COMPLAINTS_LOGGED_EVERY_MS;
      const errors = answer.errors.slice(0, 5).map((text) => outsideText(text));
      common.log.warn({ verifier: name, count: answer.errors.length, errors }, 'verifier reports errors');
    }
    return answer.outcomes;
  }
}

/** The service is alive, but may stumble over some id in the request: halves tell which. */
function isSplittable(error: Error): boolean {
  if (!(error instanceof VerifierUnavailableError)) return false;
  const { kind, status } = error;
  return (
    kind === 'response-too-large' ||
    kind === 'malformed' ||
    (kind === 'refused' && status !== null && ABOUT_THE_REQUEST.has(status))
  );
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
