import type { Registry } from 'prom-client';
import { counter, gauge, histogram } from '../core/metrics.js';

const SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 21_600, 86_400];

/** The metrics of the verification tasks. */
export function createSchedulerMetrics(registry: Registry) {
  return {
    tasks: gauge(registry, {
      name: 'indexer_verification_tasks',
      help: 'Verification tasks held in memory, by state',
      labelNames: ['state'],
    }),
    channelSize: gauge(registry, {
      name: 'indexer_verification_record_channel_size',
      help: 'Messages whose task is due and waits for a worker',
    }),
    activeReaders: gauge(registry, {
      name: 'indexer_active_readers',
      help: 'Verifier readers that are asked: all but those whose circuit is open',
    }),
    unfinished: gauge(registry, {
      name: 'indexer_unfinished_messages',
      help:
        'Messages without all their verifications, at the last look at all of them, ' +
        'by whether their window has ended',
      labelNames: ['window'],
    }),
    overflowed: gauge(registry, {
      name: 'indexer_verification_tasks_overflowed_bool',
      help: '1 while more messages are unfinished than MaxHeapSize lets be held',
    }),
    attempts: counter(registry, {
      name: 'indexer_verification_attempts_total',
      help: 'Attempts to collect the missing verifications of a message, by how they ended',
      labelNames: ['outcome'],
    }),
    timeouts: counter(registry, {
      name: 'indexer_verification_timeouts_total',
      help: 'Messages whose visibility window ended before every known CCV had answered',
    }),
    successSeconds: histogram(registry, {
      name: 'indexer_verification_success_seconds',
      help: 'Time from the ingestion of a message to the last of its verifications being stored',
      buckets: SECONDS,
    }),
    straysDropped: counter(registry, {
      name: 'indexer_verifier_strays_dropped_total',
      help: 'Stray verifier results that were counted but not quarantined, because a verifier sent too many',
      labelNames: ['verifier'],
    }),
  };
}
