import { counter, gauge, type Registry } from '../../core/metrics.js';

/**
 * Why a server closed a connection: no byte came in time · a request was not whole in time · the client did not read
 * its answer · a new connection took the place of an unused one · all connections, of one address or together, were at
 * work.
 */
const CLOSED_BECAUSE = [
  'no_first_byte',
  'late_request',
  'not_reading',
  'replaced',
  'limit_of_address',
  'limit',
] as const;
export type ClosedBecause = (typeof CLOSED_BECAUSE)[number];

/** Metrics of the connections of a server. */
export interface ConnectionMetrics {
  open(connections: number): void;
  closed(reason: ClosedBecause): void;
}

export function createConnectionMetrics(registry: Registry, server: 'api' | 'admin'): ConnectionMetrics {
  const connections = gauge(registry, {
    name: 'indexer_http_connections',
    help: 'Open connections of clients.',
    labelNames: ['server'],
  });
  const closed = counter(registry, {
    name: 'indexer_http_connections_closed_total',
    help: 'Connections that the server closed because of a limit, by limit.',
    labelNames: ['server', 'reason'],
  });
  connections.set({ server }, 0);
  // a burst that began from nothing would be no increase to Prometheus
  for (const reason of CLOSED_BECAUSE) closed.inc({ server, reason }, 0);
  return {
    open: (count) => connections.set({ server }, count),
    closed: (reason) => closed.inc({ server, reason }),
  };
}
