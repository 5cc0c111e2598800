import { type Observe, seriesHistogram } from '../../core/histogram-series.js';
import { gauge, type Registry } from '../../core/metrics.js';

/** Metrics of requests. */
export interface HttpMetrics {
  /** A request has begun. */
  began(): void;
  /** A request is over. `path` is the route's pattern, `status` the code sent or `aborted`. */
  ended(method: string, path: string, status: string, durationMs: number): void;
}

const METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** Requests under way of all servers of a registry: told when it is asked for, not with every request. */
const ACTIVE = new WeakMap<Registry, { requests: number }>();

/** The names and labels are those of the Go indexer. */
export function createHttpMetrics(registry: Registry): HttpMetrics {
  const durations = seriesHistogram(registry, {
    name: 'indexer_http_request_duration_seconds',
    help: 'Time from the request line to the end of the answer, by route.',
    labelNames: ['method', 'path', 'status'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  });
  const active = ACTIVE.get(registry) ?? { requests: 0 };
  ACTIVE.set(registry, active);
  gauge(registry, {
    name: 'indexer_active_requests',
    help: 'Requests of the query API that are under way.',
    collect() {
      this.set(active.requests);
    },
  });
  const series = new Map<string, Observe>();
  const seriesOf = (method: string, path: string, status: string): Observe => {
    const key = `${method} ${status} ${path}`;
    const made = series.get(key) ?? durations.series({ method, path, status });
    series.set(key, made);
    return made;
  };
  return {
    began() {
      active.requests += 1;
    },
    ended(method, path, status, durationMs) {
      active.requests -= 1;
      seriesOf(METHODS.has(method) ? method : 'other', path, status)(durationMs / 1000);
    },
  };
}
