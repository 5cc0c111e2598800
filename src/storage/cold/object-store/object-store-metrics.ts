import type { Common } from '../../../core/common.js';
import { counter, histogram } from '../../../core/metrics.js';

/** The operation of a request. `bucket` looks for or creates the bucket itself. */
export type ObjectOperation = 'put' | 'get' | 'head' | 'list' | 'delete' | 'bucket';

/** The outcome of a request, as a label. `aborted` is the slower of two equal requests, or one ended by `close`. */
export type RequestResult =
  | 'ok'
  | 'exists'
  | 'not_found'
  | 'conflict'
  | 'throttled'
  | 'server_error'
  | 'connection'
  | 'timeout'
  | 'wrong_answer'
  | 'credentials'
  | 'refused'
  | 'aborted';

/** Records one request to a store, retries and hedges each for themselves. */
export interface ObjectStoreMeters {
  finished(request: {
    readonly operation: ObjectOperation;
    readonly result: RequestResult;
    readonly elapsedMs: number;
    readonly sentBytes: number;
    readonly receivedBytes: number;
  }): void;
  /** A second request was sent beside a slow one. */
  hedged(): void;
}

const BUCKETS_SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100];

/** The metrics of object stores, shared by all of a registry and told apart by the label `store`. */
export function createObjectStoreMeters(store: 's3' | 'directory', { metrics }: Common): ObjectStoreMeters {
  const requests = counter(metrics, {
    name: 'indexer_object_store_requests_total',
    help: 'Requests to an object store by operation and result; each retry counts.',
    labelNames: ['store', 'operation', 'result'],
  });
  const bytes = counter(metrics, {
    name: 'indexer_object_store_bytes_total',
    help: 'Bytes of objects sent to and received from an object store; those of failed requests count.',
    labelNames: ['store', 'operation', 'direction'],
  });
  const durations = histogram(metrics, {
    name: 'indexer_object_store_request_duration_seconds',
    help: 'Time from the start of a request to an object store to the end of its answer.',
    labelNames: ['store', 'operation', 'result'],
    buckets: BUCKETS_SECONDS,
  });
  const hedges = counter(metrics, {
    name: 'indexer_object_store_hedged_requests_total',
    help: 'Slow reads of an object store that were sent once more beside the first.',
    labelNames: ['store'],
  });
  return {
    finished({ operation, result, elapsedMs, sentBytes, receivedBytes }) {
      requests.inc({ store, operation, result });
      durations.observe({ store, operation, result }, elapsedMs / 1000);
      if (sentBytes > 0) bytes.inc({ store, operation, direction: 'sent' }, sentBytes);
      if (receivedBytes > 0) bytes.inc({ store, operation, direction: 'received' }, receivedBytes);
    },
    hedged: () => hedges.inc({ store }),
  };
}
