import { gauge, histogram, type Registry } from '../../core/metrics.js';

/** Metrics of requests. */
export interface HttpMetrics {
  /** A request has begun. */
  began(): void;
  /** A request is over. `path` is the route's pattern, `status` the code sent or `aborted`. */
  ended(method: string, path: string, status: string, durationMs: number): void;
}

const METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** The names and labels are those of the Go indexer. */
export function createHttpMetrics(registry: Registry): HttpMetrics {
  const durations = histogram(registry, {
    name: 'indexer_http_request_duration_seconds',
    help: 'Time from the request line to the end of the answer, by route.',
    labelNames: ['method', 'path', 'status'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  });
  const active = gauge(registry, {
    name: 'indexer_active_requests',
    help: 'Requests of the query API that are under way.',
  });
  return {
    began() {
      active.inc();
    },
    ended(method, path, status, durationMs) {
      active.dec();
      durations.observe({ method: METHODS.has(method) ? method : 'other', path, status }, durationMs / 1000);
    },
  };
}
