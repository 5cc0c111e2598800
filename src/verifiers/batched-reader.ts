import type { Backoff } from '../core/backoff.js';
import type { Common } from '../core/common.js';
import { toError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import { outsideText } from '../core/outside-text.js';
import { createRareWarning, type RareWarning } from '../core/rare-warning.js';
import { createRateLimiter } from '../core/rate-limiter.js';
import type { VerifierResult } from '../protocol/records.js';
import { canonicalAddress } from './address.js';
import type { VerifierAnswer } from './answer.js';
import { createBatcher, type Outcome } from './batcher.js';
import type { CheckContext } from './check-result.js';
import { createReaderMetrics } from './reader-metrics.js';
import { createResilience } from './resilience.js';
import { type UnavailableKind, VerifierResultRejectedError, VerifierUnavailableError } from './verifier-errors.js';
import type { VerifierReader } from './verifier-reader.js';

/** Options of a reader of any kind of service. */
export interface ReaderOptions {
  /** The name in logs, metrics and `VerifierResult.verifierName`. */
  readonly name: string;
  readonly issuerAddresses: readonly Hex[];
  /** Deadline of one request, to the last byte of its answer. */
  readonly requestTimeoutMs: number;
  /** Most message ids in one request. */
  readonly batchSize: number;
  /** Time for which the first id of a batch waits for more. */
  readonly maxBatchWaitMs: number;
  /** Longer answers are cut off, and asked for again in halves. */
  readonly maxResponseBytes: number;
  /** Results with more `ccv_data` are rejected. Default 128 KiB. */
  readonly maxCCVDataBytes?: number;
  /** Default `DEFAULT_CONCURRENT_REQUESTS`. */
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

/** The service of a reader, as it is asked once. */
export interface VerifierService {
  /**
   * `traceparent` goes along with the request, where it is traced.
   * @throws VerifierUnavailableError when there is no answer; AbortedError when `signal` aborts.
   */
  ask(
    messageIds: readonly Hex[],
    context: CheckContext,
    signal: AbortSignal,
    traceparent?: string,
  ): Promise<VerifierAnswer>;
  /** Ends its connections. */
  close(): Promise<void>;
}

/** Requests under way at once. */
export const DEFAULT_CONCURRENT_REQUESTS = 4;
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
 * Creates the reader of a service: it gathers ids into batches, limits and repeats requests, leaves a failing service
 * alone for a while, and asks in halves where one id spoils a batch.
 */
export function createBatchedReader(options: ReaderOptions, service: VerifierService): VerifierReader {
  return new BatchedReader(options, service);
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

class BatchedReader implements VerifierReader {
  readonly name: string;
  readonly issuerAddresses: readonly Hex[];
  readonly #options: ReaderOptions;
  readonly #service: VerifierService;
  readonly #issuers: ReadonlySet<Hex>;
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

  constructor(options: ReaderOptions, service: VerifierService) {
    const { name, common } = options;
    this.name = name;
    this.issuerAddresses = options.issuerAddresses.map((address) => address.toLowerCase() as Hex);
    this.#options = options;
    this.#issuers = new Set(options.issuerAddresses.map(canonicalAddress));
    this.#service = service;
    this.#metrics = createReaderMetrics(common);
    this.#warn = createRareWarning(common);
    const perSecond = options.requestsPerSecond ?? 50;
    this.#limiter = createRateLimiter({ perSecond, clock: common.clock });
    this.#resilience = createResilience({
      verifier: name,
      maxConcurrentRequests: options.maxConcurrentRequests ?? DEFAULT_CONCURRENT_REQUESTS,
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
      maxSize: options.batchSize,
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
    this.#closed ??= this.#batcher.close().then(() => this.#service.close());
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

  async #request(messageIds: readonly Hex[], signal: AbortSignal): Promise<VerifierAnswer> {
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

  async #attempt(messageIds: readonly Hex[], signal: AbortSignal): Promise<VerifierAnswer> {
    const { name, common, maxCCVDataBytes } = this.#options;
    const { clock } = common;
    await this.#limiter.take(signal);
    const span = common.tracing?.ask(messageIds, { 'ccip.verifier': name });
    const startMs = clock.monotonicMs();
    let outcome: UnavailableKind | 'success' | 'aborted' = 'success';
    try {
      const context = {
        verifierName: name,
        issuers: this.#issuers,
        nowMs: clock.nowMs(),
        ...(maxCCVDataBytes && { maxCCVDataBytes }),
      };
      const answer = await this.#service.ask(messageIds, context, signal, span?.traceparent);
      span?.end();
      return answer;
    } catch (thrown) {
      span?.end({}, toError(thrown));
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

  #take(answer: VerifierAnswer): Map<Hex, Outcome<VerifierResult | null>> {
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
    kind === 'invalid-request' ||
    (kind === 'refused' && status !== null && ABOUT_THE_REQUEST.has(status))
  );
}
