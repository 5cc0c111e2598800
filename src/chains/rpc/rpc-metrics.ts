import type { Registry } from '../../core/metrics.js';
import { counter, gauge, histogram } from '../../core/metrics.js';

/** Metrics of RPC nodes. `url` is the index in the configured list. */
export function createRpcMetrics(registry: Registry) {
  const labelNames = ['chain', 'url'] as const;
  return {
    requests: counter(registry, {
      name: 'indexer_rpc_requests_total',
      help: 'Requests sent to an RPC node; a batch is one.',
      labelNames,
    }),
    errors: counter(registry, {
      name: 'indexer_rpc_errors_total',
      help: 'Requests to an RPC node that failed, by kind.',
      labelNames: ['chain', 'url', 'kind'],
    }),
    durationSeconds: histogram(registry, {
      name: 'indexer_rpc_request_duration_seconds',
      help: 'Time from sending a request to an RPC node to its parsed answer.',
      labelNames,
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 30],
    }),
    healthy: gauge(registry, {
      name: 'indexer_rpc_healthy_bool',
      help:
        '1 while an RPC node is used in its turn, ' +
        '0 while it is passed over because it failed, lags or is of another chain.',
      labelNames,
    }),
    headBlock: gauge(registry, {
      name: 'indexer_rpc_head_block',
      help: 'The latest block that an RPC node has told of.',
      labelNames,
    }),
  };
}

/** See `createRpcMetrics`. */
export type RpcMetrics = ReturnType<typeof createRpcMetrics>;
