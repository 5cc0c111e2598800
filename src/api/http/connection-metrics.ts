import { counter, gauge, type Registry } from '../../core/metrics.js';

/**
 * Why a server closed a connection: no byte came in time · a request was not whole in time · the client did not read its answer · another took the place of
 * one that was unused · there were too many, of one address or of all, and every one at work.
 */
export type ClosedBecause =
  | 'no_first_byte'
  | 'late_request'
  | 'not_reading'
  | 'replaced'
  | 'limit_of_address'
  | 'limit';

/** What a server tells about its connections. */
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
  return {
    open: (count) => connections.set({ server }, count),
    closed: (reason) => closed.inc({ server, reason }),
  };
}
