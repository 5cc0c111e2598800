import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  TaskCancelledError,
} from 'cockatiel';
import { type Backoff, backoffMs } from '../core/backoff.js';
import type { Common } from '../core/common.js';
import { AbortedError, toError } from '../core/errors.js';
import { gauge } from '../core/metrics.js';
import { OpenPeriod } from '../core/open-period.js';
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
  /** How long it stays open: doubling with every failed try. */
  readonly openBackoff: Backoff;
  /** Tries after the first one. */
  readonly retries: number;
  readonly retryBackoff: Backoff;
  /** Whether an error speaks against the service; others leave the circuit as it is. */
  countsAgainstService(error: Error): boolean;
  /** Why the last request failed, and how many have in a row: for the log and for errors while the circuit is open. */
  lastFailure(): { readonly reason: string; readonly failures: number } | null;
  /** Whether the same request is worth another try right away. */
  isTransient(error: Error): boolean;
  readonly common: Common;
}

/** Runs requests within the limits. */
export interface Resilience {
  /**
   * @throws what the last try threw; VerifierUnavailableError `circuit-open` or `overloaded` when it was not made;
   * AbortedError when `signal` aborted.
   */
  execute<T>(request: () => Promise<T>, signal: AbortSignal): Promise<T>;
  circuit(): VerifierReaderStatus['circuit'];
}

/** Creates the limits of one service: bulkhead around circuit breaker, retries around both. */
export function createResilience(options: ResilienceOptions): Resilience {
  const { verifier } = options;
  const { clock, random, log, metrics } = options.common;
  const openPeriod = { clock, backoff: options.openBackoff };
  const slots = bulkhead(options.maxConcurrentRequests, options.maxQueuedRequests);
  const breaker = circuitBreaker(
    handleWhen((error) => options.countsAgainstService(error)),
    {
      breaker: new ConsecutiveBreaker(options.failuresToOpen),
      halfOpenAfter: { next: () => new OpenPeriod(openPeriod) },
    },
  );
  const status = gauge(metrics, {
    name: 'indexer_circuit_breaker_status_bool',
    help: '1 while the circuit of a verifier is open or half open: it failed too often and is left alone',
    labelNames: ['verifier'],
  });
  status.set({ verifier }, 0);
  breaker.onStateChange((state) => {
    status.set({ verifier }, state === CircuitState.Closed ? 0 : 1);
    log.warn({ verifier, circuit: circuitName(state), ...options.lastFailure() }, 'circuit of a verifier changed');
  });

  async function once<T>(request: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await slots.execute(() => breaker.execute(request), signal);
    } catch (thrown) {
      if (signal.aborted || thrown instanceof TaskCancelledError)
        throw new AbortedError(`request to verifier ${verifier}`, { cause: thrown });
      if (thrown instanceof BrokenCircuitError)
        throw new VerifierUnavailableError(verifier, 'circuit-open', { said: options.lastFailure()?.reason ?? '' });
      if (thrown instanceof BulkheadRejectedError) throw new VerifierUnavailableError(verifier, 'overloaded');
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
    circuit: () => circuitName(breaker.state),
  };
}

function circuitName(state: CircuitState): VerifierReaderStatus['circuit'] {
  switch (state) {
    case CircuitState.Closed:
      return 'closed';
    case CircuitState.HalfOpen:
      return 'half-open';
    case CircuitState.Open:
    case CircuitState.Isolated:
      return 'open';
  }
}
