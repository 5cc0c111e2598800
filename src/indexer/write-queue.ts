import { type Backoff, backoffMs } from '../core/backoff.js';
import type { Common } from '../core/common.js';
import { AbortedError, ClosedError, IndexerError, toError } from '../core/errors.js';
import type { StatusChange, WriteBatch } from '../model/batch.js';
import type { QuarantineEntry } from '../model/records.js';
import type { VerifierResult } from '../protocol/records.js';
import type { Storage } from '../storage/storage.js';

/** The records of one task, stored in one transaction. */
export interface WritePart {
  readonly verifierResults?: readonly VerifierResult[];
  readonly statuses?: readonly StatusChange[];
  readonly quarantine?: readonly QuarantineEntry[];
}

/** Writes the parts of many tasks in few batches. */
export interface WriteQueue {
  /**
   * Resolves once the part is stored. While the storage cannot be reached it is tried again and again, so that a caller
   * that waits here asks verifiers for no results that cannot be kept.
   * @throws the storage's error when trying again is no use; AbortedError or ClosedError at the end.
   */
  write(part: WritePart): Promise<void>;
  /** Ends after the batch under way; fails the parts that wait. Idempotent. */
  close(): Promise<void>;
}

const MAX_RECORDS = 500;
const MAX_BYTES = 8 * 1024 * 1024;
const RETRY: Backoff = { baseMs: 100, maxMs: 5_000 };

interface Waiting {
  readonly part: WritePart;
  readonly sizeBytes: number;
  resolve(): void;
  reject(error: Error): void;
}

/** Creates the queue. While one batch is being stored the next one gathers, so it needs no timer and adds no delay. */
export function createWriteQueue({
  storage,
  common,
}: {
  readonly storage: Storage;
  readonly common: Common;
}): WriteQueue {
  const { clock, random, log } = common;
  const closing = new AbortController();
  let waiting: Waiting[] = [];
  let flushing: Promise<void> | null = null;

  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const batch = takeBatch();
      try {
        await store(batch.map(({ part }) => part));
        for (const { resolve } of batch) resolve();
      } catch (thrown) {
        if (batch.length === 1 || closing.signal.aborted) for (const { reject } of batch) reject(toError(thrown));
        else await storeOneByOne(batch, toError(thrown));
      }
    }
    // in the same turn that found nothing waiting: whatever comes next starts another flush
    flushing = null;
  }

  function takeBatch(): readonly Waiting[] {
    let count = 0;
    let sizeBytes = 0;
    while (count < waiting.length && count < MAX_RECORDS) {
      sizeBytes += waiting[count]?.sizeBytes ?? 0;
      if (count > 0 && sizeBytes > MAX_BYTES) break;
      count++;
    }
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return batch;
  }

  /** One part that the storage will not take must not keep out those it came with. */
  async function storeOneByOne(batch: readonly Waiting[], error: Error): Promise<void> {
    log.error(
      { err: error, parts: batch.length },
      'a batch of verifications was refused: storing its parts one by one',
    );
    for (const { part, resolve, reject } of batch) {
      try {
        await store([part]);
        resolve();
      } catch (thrown) {
        reject(toError(thrown));
      }
    }
  }

  async function store(parts: readonly WritePart[]): Promise<void> {
    const batch: WriteBatch = {
      verifierResults: parts.flatMap((part) => part.verifierResults ?? []),
      statuses: parts.flatMap((part) => part.statuses ?? []),
      quarantine: parts.flatMap((part) => part.quarantine ?? []),
    };
    for (let attempt = 0; ; attempt++) {
      if (closing.signal.aborted) throw new AbortedError('write of verifications');
      try {
        await storage.insertBatch(batch);
        return;
      } catch (thrown) {
        if (!(thrown instanceof IndexerError) || !thrown.retryable) throw thrown;
        log.warn({ err: thrown, attempt, parts: parts.length }, 'verifications could not be stored: trying again');
        await clock.sleep(backoffMs(RETRY, attempt, random), closing.signal);
      }
    }
  }

  return {
    write(part) {
      if (closing.signal.aborted) return Promise.reject(new ClosedError('write queue'));
      return new Promise<void>((resolve, reject) => {
        waiting.push({ part, sizeBytes: partBytes(part), resolve, reject });
        flushing ??= flush();
      });
    },
    async close() {
      closing.abort();
      const abandoned = waiting;
      waiting = [];
      for (const { reject } of abandoned) reject(new ClosedError('write queue'));
      await flushing;
    },
  };
}

function partBytes(part: WritePart): number {
  let sizeBytes = 0;
  for (const result of part.verifierResults ?? []) sizeBytes += result.encodedMessage.length + result.ccvData.length;
  for (const entry of part.quarantine ?? []) sizeBytes += entry.raw.length;
  return sizeBytes;
}
