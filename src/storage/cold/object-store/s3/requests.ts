import { setMaxListeners } from 'node:events';
import { backoffMs } from '../../../../core/backoff.js';
import type { Common } from '../../../../core/common.js';
import { AbortedError, ClosedError } from '../../../../core/errors.js';
import { ObjectStoreError, ObjectStoreUnavailableError } from '../object-store-errors.js';
import {
  createObjectStoreMeters,
  type ObjectOperation,
  type ObjectStoreMeters,
  type RequestResult,
} from '../object-store-metrics.js';
import { createRequestBreaker, type RequestBreaker } from './circuit-breaker.js';
import { isLostKeptConnection } from './client.js';
import { RequestScope } from './deadline.js';
import { hedge, type StartedRequest } from './hedge.js';
import {
  classifyS3Failure,
  describeS3Failure,
  judgeS3Failure,
  type S3FailureKind,
  S3RequestFailure,
} from './s3-failures.js';

/** The limits of requests. */
export interface S3RequestLimits {
  /** Deadline of one request; each megabyte sent or received extends it by a second. */
  readonly requestTimeoutMs: number;
  /** Attempts of a call before it fails. */
  readonly maxAttempts: number;
  /** A read of which nothing has arrived for so long is sent once more beside the first. */
  readonly hedgeAfterMs: number;
  readonly maxConnections: number;
}

/** The context of the work of one request. */
export interface S3Request {
  readonly signal: AbortSignal;
  /** Extends the deadline by the time of so many bytes. */
  expected(sizeBytes: number): void;
  /** Counts received bytes. */
  progressed(sizeBytes: number): void;
}

type Work<T> = (request: S3Request) => Promise<T>;

const BACKOFF = { baseMs: 50, maxMs: 5000 };
const THROTTLED_BACKOFF = { baseMs: 250, maxMs: 20_000 };

const isAnswer = (kind: S3FailureKind) => kind === 'not_found' || kind === 'range' || kind === 'precondition';

/** Sends requests with deadlines, retries, hedging and a circuit breaker, and counts them. */
export class S3Requests {
  readonly #common: Common;
  readonly #limits: S3RequestLimits;
  readonly #meters: ObjectStoreMeters;
  readonly #breaker: RequestBreaker;
  readonly #running = new Set<RequestScope>();
  readonly #closing = new AbortController();

  constructor(limits: S3RequestLimits, common: Common) {
    this.#limits = limits;
    this.#common = common;
    this.#meters = createObjectStoreMeters('s3', common);
    this.#breaker = createRequestBreaker(common);
    // every pause between attempts listens
    setMaxListeners(0, this.#closing.signal);
  }

  /**
   * Sends a request until it is answered.
   * @throws S3RequestFailure `not_found`, `range` or `precondition`, which the caller knows the meaning of.
   * @throws ObjectStoreUnavailableError, ObjectStoreError, ClosedError
   */
  async send<T>(operation: ObjectOperation, sentBytes: number, work: Work<T>): Promise<T> {
    return await this.#untilAnswered(operation, () => this.#start(operation, sentBytes, work).answer);
  }

  /** Like `send`, for reads: each attempt is hedged. */
  async sendHedged<T>(operation: ObjectOperation, work: Work<T>): Promise<T> {
    return await this.#untilAnswered(operation, () =>
      hedge((progressed) => this.#start(operation, 0, work, progressed), {
        clock: this.#common.clock,
        afterMs: this.#limits.hedgeAfterMs,
        // without a free connection the second request would only wait behind others, and make them slower
        allow: () => {
          const free = this.#running.size < this.#limits.maxConnections;
          if (free) this.#meters.hedged();
          return free;
        },
        isAnswer: (failure) => failure instanceof S3RequestFailure && isAnswer(failure.kind),
      }),
    );
  }

  /** Ends everything that runs with ClosedError. */
  close(): void {
    this.#closing.abort();
    for (const scope of this.#running) scope.abort();
  }

  async #untilAnswered<T>(operation: ObjectOperation, attempt: () => Promise<T>): Promise<T> {
    const { clock, random, log } = this.#common;
    let attempts = 0;
    try {
      for (;;) {
        if (this.#closing.signal.aborted) throw new ClosedError('object store');
        attempts += 1;
        try {
          return await this.#breaker.run(attempt);
        } catch (failure) {
          const verdict = judgeS3Failure(failure);
          if (verdict === 'give-up' || !(failure instanceof S3RequestFailure)) throw failure;
          log.debug({ operation, attempts, kind: failure.kind, ...failure.facts }, 'S3 request failed');
          if (attempts >= this.#limits.maxAttempts) throw failure;
          const backoff = verdict === 'retry-throttled' ? THROTTLED_BACKOFF : BACKOFF;
          await clock.sleep(backoffMs(backoff, attempts - 1, random), this.#closing.signal);
        }
      }
    } catch (failure) {
      throw this.#publicError(operation, attempts, failure);
    }
  }

  #publicError(operation: ObjectOperation, attempts: number, failure: unknown): unknown {
    if (this.#closing.signal.aborted && (failure instanceof S3RequestFailure || failure instanceof AbortedError))
      return new ClosedError('object store');
    if (!(failure instanceof S3RequestFailure) || isAnswer(failure.kind)) return failure;
    const options = { cause: failure.cause, details: { operation, attempts, kind: failure.kind, ...failure.facts } };
    const reason = describeS3Failure(failure);
    return failure.kind === 'refused'
      ? new ObjectStoreError(`the object store did not do a ${operation}: ${reason}`, options)
      : new ObjectStoreUnavailableError(`the object store did not answer a ${operation}: ${reason}`, options);
  }

  #start<T>(operation: ObjectOperation, sentBytes: number, work: Work<T>, onProgress?: () => void): StartedRequest<T> {
    const scope = new RequestScope(this.#common.clock, this.#limits.requestTimeoutMs, sentBytes);
    this.#running.add(scope);
    let receivedBytes = 0;
    const request: S3Request = {
      signal: scope.signal,
      expected: (sizeBytes) => scope.expectBytes(sizeBytes),
      progressed: (sizeBytes) => {
        receivedBytes += sizeBytes;
        onProgress?.();
      },
    };
    const finish = (result: RequestResult) => {
      this.#running.delete(scope);
      scope.end(result === 'ok');
      this.#meters.finished({ operation, result, elapsedMs: scope.elapsedMs, sentBytes, receivedBytes });
    };
    const run = async () => {
      try {
        const answer = await scope.race(onOpenConnection(work, request));
        finish('ok');
        return answer;
      } catch (thrown) {
        const failure = failureOf(scope, thrown);
        finish(resultOf(failure.kind));
        throw failure;
      }
    };
    return { answer: run(), abort: () => scope.abort() };
  }
}

/**
 * A request that meets a connection closed by the server is sent again at once: after a pause in the traffic all kept
 * connections may be closed, and as failed attempts they would open the circuit of a server that works. Each round
 * costs one connection, so it ends.
 */
async function onOpenConnection<T>(work: Work<T>, request: S3Request): Promise<T> {
  for (;;) {
    try {
      return await work(request);
    } catch (thrown) {
      if (!isLostKeptConnection(thrown) || request.signal.aborted) throw thrown;
    }
  }
}

function failureOf(scope: RequestScope, thrown: unknown): S3RequestFailure {
  if (scope.endedBy === undefined) return classifyS3Failure(thrown);
  const kind = scope.endedBy === 'deadline' ? 'timeout' : 'aborted';
  return new S3RequestFailure(kind, { elapsedMs: Math.round(scope.elapsedMs) });
}

function resultOf(kind: S3FailureKind): RequestResult {
  if (kind === 'precondition') return 'exists';
  return kind === 'range' ? 'refused' : kind;
}
