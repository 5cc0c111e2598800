import { BrokenCircuitError, CircuitState, ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel';
import type { Backoff } from '../../../../core/backoff.js';
import type { Common } from '../../../../core/common.js';
import { gauge } from '../../../../core/metrics.js';
import { OpenPeriod } from '../../../../core/open-period.js';
import { ObjectStoreUnavailableError } from '../object-store-errors.js';
import { describeS3Failure, type S3FailureKind, S3RequestFailure } from './s3-failures.js';

/** A call that is given up after four attempts: with time limits of ten seconds nobody should wait for a second one. */
const FAILURES_TO_OPEN = 4;
const OPEN: Backoff = { baseMs: 1_000, maxMs: 10_000 };

/** The server is not there, or cannot work; everything else is an answer, which it had to be there for. */
const SPEAKS_AGAINST: ReadonlySet<S3FailureKind> = new Set(['connection', 'timeout', 'server_error']);

/** Leaves a server alone that does not answer, so that nobody waits for it again and again. */
export interface RequestBreaker {
  /** Runs an attempt. @throws ObjectStoreUnavailableError when it was not made, and what `attempt` throws. */
  run<T>(attempt: () => Promise<T>): Promise<T>;
}

/**
 * closed ── attempts in a row that were not answered ──▶ open
 * open ──── a second, then ever longer ────────────────▶ half open   (one attempt is made, others wait for its outcome)
 * half open ── answered ──▶ closed · not answered ──▶ open
 */
export function createRequestBreaker({ clock, log, metrics }: Common): RequestBreaker {
  const breaker = circuitBreaker(handleAll, {
    breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN),
    halfOpenAfter: { next: () => new OpenPeriod({ clock, backoff: OPEN }) },
  });
  const status = gauge(metrics, {
    name: 'indexer_object_store_circuit_status_bool',
    help: '1 while the circuit of the object store is open or half open: it did not answer and is left alone',
    labelNames: ['store'],
  });
  status.set({ store: 's3' }, 0);
  /** Why attempts fail, and how many have in a row: what is not asked says nothing new. */
  let failing: { readonly reason: string; readonly failures: number } | null = null;
  breaker.onStateChange((state) => {
    status.set({ store: 's3' }, state === CircuitState.Closed ? 0 : 1);
    log.warn({ store: 's3', circuit: CircuitState[state], ...failing }, 'circuit of the object store changed');
  });

  return {
    async run(attempt) {
      let answered: { readonly failure: unknown } | null = null;
      try {
        const value = await breaker.execute(async () => {
          try {
            const value = await attempt();
            failing = null;
            return { value };
          } catch (failure) {
            if (failure instanceof S3RequestFailure && SPEAKS_AGAINST.has(failure.kind)) {
              failing = { reason: describeS3Failure(failure), failures: (failing?.failures ?? 0) + 1 };
              throw failure;
            }
            failing = null;
            // a refusal is an answer too: for the circuit it is a success
            answered = { failure };
            return null;
          }
        });
        if (value) return value.value;
      } catch (thrown) {
        if (!(thrown instanceof BrokenCircuitError)) throw thrown;
        const reason = failing === null ? '' : `: ${failing.reason}`;
        throw new ObjectStoreUnavailableError(
          `the object store did not answer lately and is left alone for some seconds${reason}`,
          { cause: thrown, details: { ...failing } },
        );
      }
      throw (answered as { readonly failure: unknown } | null)?.failure;
    },
  };
}
