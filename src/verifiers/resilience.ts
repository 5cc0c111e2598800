import { type Backoff, backoffMs } from '../core/backoff.js';
import { CircuitBreaker, CircuitOpenError } from '../core/circuit-breaker.js';
import type { Common } from '../core/common.js';
import { AbortedError, toError } from '../core/errors.js';
import { gauge } from '../core/metrics.js';
import { createTurns } from '../core/turns.js';
import { createReadObserver } from './read-observer.js';
import { VerifierUnavailableError } from './verifier-errors.js';
import type { VerifierReaderStatus } from './verifier-reader.js';

/** Limits on how a verifier service is asked. */
export interface ResilienceOptions {
  readonly verifier: string;
  /** Requests under way at once; further ones queue. */
  readonly maxConcurrentRequests: number;
  readonly maxQueuedRequests: number;
  /** Failures in a row that open the circuit. */
  readonly failuresToOpen: number;
  /** Time in the open state: doubling with every failed trial. */
  readonly openBackoff: Backoff;
  /** Tries after the first one. */
  readonly retries: number;
  readonly retryBackoff: Backoff;
  /** Whether an error speaks against the service; others leave the circuit as it is. */
  countsAgainstService(error: Error): boolean;
  /**
   * The reason of the last failure, and the failures in a row: for the log and for errors while the circuit is open.
   */
  lastFailure(): { readonly reason: string; readonly failures: number } | null;
  /** Whether the same request is worth another try right away. */
  isTransient(error: Error): boolean;
  readonly common: Common;
}

/** Runs requests within the limits. */
export interface Resilience {
  /**
   * @throws the error of the last try; VerifierUnavailableError `circuit-open` or `overloaded` when it was not made;
   * AbortedError when `signal` aborted.
   */
  execute<T>(request: () => Promise<T>, signal: AbortSignal): Promise<T>;
  circuit(): VerifierReaderStatus['circuit'];
}

/** Creates the limits of one service: turns around the circuit breaker, retries around both. */
export function createResilience(options: ResilienceOptions): Resilience {
  const { verifier } = options;
  const { clock, random, log, metrics } = options.common;
  const turns = createTurns(options.maxConcurrentRequests);
  const status = gauge(metrics, {
    name: 'indexer_circuit_breaker_status_bool',
    help: '1 while the circuit of a verifier is open or half open: it failed too often and is left alone',
    labelNames: ['target'],
  });
  status.set({ target: verifier }, 0);
  const observed = createReadObserver(verifier, options.common);
  const breaker = new CircuitBreaker({
    clock,
    failuresToOpen: options.failuresToOpen,
    openBackoff: options.openBackoff,
    verdictOf: (error) => (options.countsAgainstService(error) ? 'against' : 'neither'),
    onChange: (circuit) => {
      status.set({ target: verifier }, circuit === 'closed' ? 0 : 1);
      log.warn({ verifier, circuit, ...options.lastFailure() }, 'circuit of a verifier changed');
    },
  });

  async function once<T>(request: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (signal.aborted) throw new AbortedError(`request to verifier ${verifier}`);
    if (turns.waiting >= options.maxQueuedRequests) throw new VerifierUnavailableError(verifier, 'overloaded');
    try {
      return await turns.run(async () => {
        signal.throwIfAborted();
        return await breaker.run(() => observed(request));
      });
    } catch (thrown) {
      if (signal.aborted) throw new AbortedError(`request to verifier ${verifier}`, { cause: thrown });
      if (thrown instanceof CircuitOpenError)
        throw new VerifierUnavailableError(verifier, 'circuit-open', { said: options.lastFailure()?.reason ?? '' });
      throw thrown;
    }
  }

  return {
    async execute(request, signal) {
      for (let attempt = 0; ; attempt++) {
        try {
          return await once(request, signal);
        } catch (thrown) {
          const error = toError(thrown);
          if (attempt >= options.retries || signal.aborted || !options.isTransient(error)) throw error;
          const askedMs = error instanceof VerifierUnavailableError ? error.retryAfterMs : 0;
          await clock.sleep(Math.max(askedMs, backoffMs(options.retryBackoff, attempt, random)), signal);
        }
      }
    },
    circuit: () => breaker.state,
  };
}
