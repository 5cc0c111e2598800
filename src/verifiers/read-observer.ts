import type { Common } from '../core/common.js';
import { counter, histogram } from '../core/metrics.js';

/** Runs a request to a service and measures it under the names of the Go indexer; `target` is the service's name. */
export function createReadObserver(target: string, { clock, metrics }: Common) {
  const durations = histogram(metrics, {
    name: 'indexer_offchain_read_duration',
    help: 'Time of one request to a verifier or aggregator, in seconds',
    labelNames: ['target', 'errored'],
  });
  const errors = counter(metrics, {
    name: 'indexer_offchain_read_errors',
    help: 'Requests to a verifier or aggregator that failed',
    labelNames: ['target'],
  });
  errors.inc({ target }, 0);
  return async <T>(request: () => Promise<T>): Promise<T> => {
    const startedMs = clock.monotonicMs();
    let errored = 'true';
    try {
      const result = await request();
      errored = 'false';
      return result;
    } finally {
      if (errored === 'true') errors.inc({ target });
      durations.observe({ target, errored }, (clock.monotonicMs() - startedMs) / 1000);
    }
  };
}
