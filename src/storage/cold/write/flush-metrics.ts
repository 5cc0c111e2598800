import type { Common } from '../../../core/common.js';
import { counter, gauge, histogram } from '../../../core/metrics.js';
import type { NamespaceHead } from '../namespace/head.js';
import type { ChangeBuffer } from './change-buffer.js';
import type { FlushResult } from './flush.js';

/** The metrics of flushes and of the namespace. */
export interface FlushMetrics {
  flushed(result: FlushResult, startedMs: number): void;
  flushFailed(code: string): void;
  /** The namespace stands at a position, by this or another writer. */
  stands(at: Pick<NamespaceHead, 'position'>): void;
  buffered(buffer: ChangeBuffer): void;
  cached(bytes: number): void;
}

export function createFlushMetrics({ metrics, clock }: Common, storage: string): FlushMetrics {
  const durations = histogram(metrics, {
    name: 'indexer_cold_flush_duration_seconds',
    help: 'Time a flush of the cold tier took, from encoding to its commit',
    labelNames: ['storage'],
    buckets: [0.01, 0.05, 0.2, 1, 3, 10, 30, 100],
  });
  const rows = counter(metrics, {
    name: 'indexer_cold_rows_total',
    help: 'Rows committed to the cold tier',
    labelNames: ['storage'],
  });
  const bytes = counter(metrics, {
    name: 'indexer_cold_bytes_total',
    help: 'Bytes of data files and indexes committed to the cold tier',
    labelNames: ['storage'],
  });
  const failures = counter(metrics, {
    name: 'indexer_cold_flush_failures_total',
    help: 'Flushes that failed and will be tried again, by error code',
    labelNames: ['storage', 'code'],
  });
  const position = gauge(metrics, {
    name: 'indexer_cold_position',
    help: 'Position up to which the cold tier is committed',
    labelNames: ['storage'],
  });
  const bufferedBytes = gauge(metrics, {
    name: 'indexer_cold_buffered_bytes',
    help: 'Bytes of records that wait for a flush',
    labelNames: ['storage'],
  });
  const bufferedRecords = gauge(metrics, {
    name: 'indexer_cold_buffered_records',
    help: 'Records that wait for a flush',
    labelNames: ['storage'],
  });
  const cacheBytes = gauge(metrics, {
    name: 'indexer_cold_cache_bytes',
    help: 'Memory of cached footers, indexes and row groups',
    labelNames: ['storage'],
  });
  const stands = (at: Pick<NamespaceHead, 'position'>) => position.set({ storage }, Number(at.position));
  return {
    flushed(result, startedMs) {
      durations.observe({ storage }, (clock.monotonicMs() - startedMs) / 1000);
      rows.inc({ storage }, result.rows);
      bytes.inc({ storage }, result.bytes);
      stands(result.view);
    },
    stands,
    flushFailed: (code) => failures.inc({ storage, code }),
    buffered(buffer) {
      bufferedBytes.set({ storage }, buffer.sizeBytes);
      bufferedRecords.set({ storage }, buffer.records);
    },
    cached: (size) => cacheBytes.set({ storage }, size),
  };
}
