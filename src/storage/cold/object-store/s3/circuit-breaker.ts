import type { Backoff } from '../../../../core/backoff.js';
import { CircuitBreaker, CircuitOpenError, type FailuresInARow } from '../../../../core/circuit-breaker.js';
import type { Common } from '../../../../core/common.js';
import { gauge } from '../../../../core/metrics.js';
import { ObjectStoreUnavailableError } from '../object-store-errors.js';
import { describeS3Failure, type S3FailureKind, S3RequestFailure } from './s3-failures.js';

/**
 * A call is given up after four attempts: with deadlines of ten seconds a second call should not wait for its own
 * four.
 */
const FAILURES_TO_OPEN = 4;
const OPEN: Backoff = { baseMs: 1_000, maxMs: 10_000 };

/** The server is not there, or cannot work; every other failure is an answer, which it had to be there for. */
const SPEAKS_AGAINST: ReadonlySet<S3FailureKind> = new Set(['connection', 'timeout', 'server_error']);

/** Runs the attempts of one object store behind a circuit breaker. */
export interface RequestBreaker {
  /** @throws ObjectStoreUnavailableError when the attempt was not made, and the errors of `attempt`. */
  run<T>(attempt: () => Promise<T>): Promise<T>;
}

export function createRequestBreaker({ clock, log, metrics }: Common): RequestBreaker {
  const status = gauge(metrics, {
    name: 'indexer_object_store_circuit_status_bool',
    help: '1 while the circuit of the object store is open or half open: it did not answer and is left alone',
    labelNames: ['store'],
  });
  status.set({ store: 's3' }, 0);
  const breaker = new CircuitBreaker({
    clock,
    failuresToOpen: FAILURES_TO_OPEN,
    openBackoff: OPEN,
    verdictOf: (error) => (error instanceof S3RequestFailure && SPEAKS_AGAINST.has(error.kind) ? 'against' : 'answer'),
    onChange: (circuit, failures) => {
      status.set({ store: 's3' }, circuit === 'closed' ? 0 : 1);
      log.warn({ store: 's3', circuit, ...factsOf(failures) }, 'circuit of the object store changed');
    },
  });
  return {
    async run(attempt) {
      try {
        return await breaker.run(attempt);
      } catch (thrown) {
        if (!(thrown instanceof CircuitOpenError)) throw thrown;
        const facts = factsOf(breaker.failures);
        throw new ObjectStoreUnavailableError(
          `the object store did not answer lately and is left alone for some seconds: ${facts?.reason}`,
          { cause: thrown, details: { ...facts } },
        );
      }
    },
  };
}

function factsOf(failures: FailuresInARow | null) {
  if (!(failures?.last instanceof S3RequestFailure)) return null;
  return { reason: describeS3Failure(failures.last), failures: failures.count };
}
