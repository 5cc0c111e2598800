import { LRUCache } from 'lru-cache';
import type { Common } from '../core/common.js';
import { toError } from '../core/errors.js';
import type { VerifierRegistry } from '../verifiers/registry.js';
import type { VerifierResultRejectedError } from '../verifiers/verifier-errors.js';
import { quarantineEntry } from './quarantine-entry.js';
import type { createSchedulerMetrics } from './scheduler-metrics.js';
import type { WriteQueue } from './write-queue.js';

/** A hostile verifier must not fill the quarantine: results beyond this are counted only. */
const MAX_A_MINUTE = 60;
/** Bytes that wait to be stored, of all verifiers: while the storage is away they must not gather. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
const MINUTE_MS = 60_000;
const REMEMBERED = 10_000;

/**
 * Quarantines verifier results that belong to no question: unreadable, unrequested, or a second one.
 * @returns ends it.
 */
export function quarantineStrays(options: {
  readonly registry: VerifierRegistry;
  readonly writes: WriteQueue;
  readonly metrics: ReturnType<typeof createSchedulerMetrics>;
  readonly common: Common;
}): () => void {
  const { registry, writes, metrics, common } = options;
  const seen = new LRUCache<string, true>({ max: REMEMBERED });

  let waitingBytes = 0;

  const endings = registry.readers.map((reader) => {
    let minuteEndsMs = 0;
    let left = 0;
    return reader.onStray((stray: VerifierResultRejectedError) => {
      const entry = quarantineEntry(stray);
      const identity = `${entry.sourceId} ${entry.key}`;
      if (seen.has(identity)) return;
      const nowMs = common.clock.monotonicMs();
      if (nowMs >= minuteEndsMs) {
        minuteEndsMs = nowMs + MINUTE_MS;
        left = MAX_A_MINUTE;
      }
      if (left === 0 || waitingBytes + entry.raw.length > MAX_WAITING_BYTES) {
        metrics.straysDropped.inc({ verifier: reader.name });
        return;
      }
      left--;
      seen.set(identity, true);
      waitingBytes += entry.raw.length;
      writes
        .write({ quarantine: [entry] })
        .catch((thrown: unknown) => {
          seen.delete(identity);
          common.log.warn({ err: toError(thrown), verifier: reader.name }, 'a stray result could not be quarantined');
        })
        .finally(() => {
          waitingBytes -= entry.raw.length;
        });
    });
  });
  return () => {
    for (const end of endings) end();
  };
}
