import type { Common } from '../core/common.js';
import { counter, histogram } from '../core/metrics.js';

/** The metrics of readers, told apart by the label `verifier`. */
export function createReaderMetrics({ metrics }: Common) {
  return {
    duration: histogram(metrics, {
      name: 'indexer_verifier_request_duration_seconds',
      help: 'Time of one request to a verifier, to the last byte and its checks',
      labelNames: ['verifier', 'outcome'],
    }),
    batch: histogram(metrics, {
      name: 'indexer_verifier_batch_messages',
      help: 'Message ids in one request to a verifier',
      labelNames: ['verifier'],
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
    }),
    rejected: counter(metrics, {
      name: 'indexer_verifier_results_rejected_total',
      help: 'Verifier results that failed a check, by check',
      labelNames: ['verifier', 'reason'],
    }),
    complaints: counter(metrics, {
      name: 'indexer_verifier_reported_errors_total',
      help: 'Errors that a verifier listed in its answers',
      labelNames: ['verifier'],
    }),
  };
}
