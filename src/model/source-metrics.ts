import { counter, histogram, type Registry } from '../core/metrics.js';

/** The metrics that every source of messages has; `target` is its configured name. */
export function createSourceMetrics(registry: Registry) {
  return {
    pollingErrors: counter(registry, {
      name: 'indexer_scanner_polling_errors_total',
      help: 'Looks at a source of messages that failed; they are repeated.',
      labelNames: ['target'],
    }),
    discoverySeconds: histogram(registry, {
      name: 'indexer_message_discovery_latency_seconds',
      help: "Time from a message's block, or attestation, to the commit that stored it, while its source is followed.",
      labelNames: ['target'],
      buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800],
    }),
  };
}
