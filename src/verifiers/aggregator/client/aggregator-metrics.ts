import type { Common } from '../../../core/common.js';
import { counter, histogram } from '../../../core/metrics.js';

/** The metrics of calls to aggregators, under the names and with the labels of the Go indexer. */
export function createAggregatorMetrics({ metrics }: Pick<Common, 'metrics'>) {
  return {
    payload: histogram(metrics, {
      name: 'indexer_grpc_payload_size_bytes',
      help: 'Size of a request to an aggregator or of its answer, by the full path of the method',
      labelNames: ['method', 'direction'],
      buckets: [64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216],
    }),
    errors: counter(metrics, {
      name: 'indexer_grpc_errors_total',
      help: 'Calls to an aggregator that failed, by code of gRPC and full path of the method',
      labelNames: ['code', 'method'],
    }),
  };
}
