import { counter, gauge, type Registry } from '../../core/metrics.js';
import type { Evicted, RecordStore } from './record-store.js';

/** Gauges of the records and bytes of a memory storage. */
export interface MemoryMetrics {
  /** After anything changed. */
  update(store: RecordStore, nowMs: number): void;
  evicted(evicted: Evicted): void;
}

export function createMemoryMetrics(registry: Registry, backend: string): MemoryMetrics {
  const records = gauge(registry, {
    name: 'indexer_memory_records',
    help: 'Records held in memory',
    labelNames: ['backend', 'kind'],
  });
  const bytes = gauge(registry, {
    name: 'indexer_memory_estimated_bytes',
    help: 'Estimated size of the records held in memory, with their indexes',
    labelNames: ['backend'],
  });
  const age = gauge(registry, {
    name: 'indexer_memory_oldest_age_seconds',
    help: 'Age of the oldest record held in memory',
    labelNames: ['backend'],
  });
  const evictions = counter(registry, {
    name: 'indexer_memory_evicted_records_total',
    help: 'Records evicted from memory',
    labelNames: ['backend', 'kind'],
  });
  const children = {
    messages: records.labels({ backend, kind: 'message' }),
    results: records.labels({ backend, kind: 'verifier_result' }),
    bytes: bytes.labels({ backend }),
    age: age.labels({ backend }),
    evictedMessages: evictions.labels({ backend, kind: 'message' }),
    evictedResults: evictions.labels({ backend, kind: 'verifier_result' }),
  };
  return {
    update(store, nowMs) {
      children.messages.set(store.messages.size);
      children.results.set(store.results.size);
      children.bytes.set(store.estimatedBytes);
      children.age.set(Math.max(0, nowMs - (store.oldestMs() ?? nowMs)) / 1000);
    },
    evicted({ messages, verifierResults }) {
      children.evictedMessages.inc(messages);
      children.evictedResults.inc(verifierResults);
    },
  };
}
