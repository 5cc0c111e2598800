import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { type ColdStorage, createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { createMemoryObjectStore, MemoryBucket } from '../../../test/simulation/process/memory-object-store.js';
import { createManualClock } from '../../../test/support/manual-clock.js';
import { createRecordMaker } from '../../../test/support/records.js';
import { createCountingObjectStore } from '../../../test/support/s3/request-counting.js';
import type { Row } from '../measure.js';
import type { Bench } from '../report.js';
import { MB } from '../workload/plain-objects.js';

const FLUSH_EVERY_MS = 300_000;
const MESSAGES_A_FLUSH = 200;
const CCVS = 3;
const COMMITS_A_FLUSH = 10;
/** From the message to its last verification. */
const LATENCY_MS = 20 * 60_000;
const LATENCY_DEVIATION_MS = 5 * 60_000;
/** So small that a table comes to many files in a run of some minutes. */
const COMPACT_BYTES = 4 * 1024 * 1024;
const PAGE = 1_000;

/**
 * Bytes that the cold tier puts into its store for one byte that it keeps: for a stream like the real one, and at worst.
 * They depend on nothing but the stream, so that one round is enough. The ceiling is what is kept in the end.
 */
export const coldStreams: Bench = async ({ quick }) => ({
  rows: [await measure('steady', quick ? 20 : 60), await measure('replayed', quick ? 20 : 60)],
});

/**
 * `steady`: each message is flushed before it is final, and changes once. `replayed`: after a full compaction all
 * messages change once more, in order, a flush each 200; only that is counted.
 */
async function measure(kind: 'steady' | 'replayed', flushes: number): Promise<Row> {
  const clock = createManualClock();
  const common = createCommon({ clock });
  const make = createRecordMaker(5);
  const origin = createMemoryStorage({ name: 'origin', common });
  const store = createCountingObjectStore(createMemoryObjectStore(new MemoryBucket(), clock));
  const archive = createColdStorage({
    ...{ name: 'cold', store, namespace: 'bench', role: 'follower', takeoverMs: 0, compactBytes: COMPACT_BYTES },
    ...{ flushIntervalMs: 2_000_000_000, compactIntervalMs: 0, vacuumIntervalMs: 0, common },
  });
  const all: Hex[] = [];
  let waiting: { readonly messageId: Hex; readonly dueMs: number }[] = [];
  for (let flush = 0; flush < flushes; flush += 1) {
    for (let commit = 0; commit < COMMITS_A_FLUSH; commit += 1) {
      const nowMs = clock.nowMs();
      const messages = Array.from({ length: MESSAGES_A_FLUSH / COMMITS_A_FLUSH }, () =>
        make.message({ dataBytes: 128, ccvs: Array.from({ length: CCVS }, () => make.hex(20)) }),
      );
      await origin.insertBatch({ messages });
      await origin.insertBatch({
        verifierResults: messages.flatMap((message) =>
          Array.from({ length: CCVS }, (_, index) => make.result(message, index)),
        ),
      });
      for (const { messageId } of messages) {
        all.push(messageId);
        waiting.push({ messageId, dueMs: nowMs + LATENCY_MS + LATENCY_DEVIATION_MS * normal(make.random) });
      }
      const due = waiting.filter(({ dueMs }) => dueMs <= nowMs);
      waiting = waiting.filter(({ dueMs }) => dueMs > nowMs);
      if (kind === 'steady' && due.length > 0) await succeed(origin, due);
      await clock.advance(FLUSH_EVERY_MS / COMMITS_A_FLUSH);
    }
    await flushAll(origin, archive);
    if (flush % 2 === 1) await archive.maintenance.compact();
  }
  if (kind === 'replayed') {
    await archive.maintenance.compact({ full: true });
    store.reset();
    for (let from = 0; from < all.length; from += MESSAGES_A_FLUSH) {
      const some = all.slice(from, from + MESSAGES_A_FLUSH);
      await succeed(
        origin,
        some.map((messageId) => ({ messageId })),
      );
      await flushAll(origin, archive);
    }
  }
  const { tables } = await archive.maintenance.describe();
  await archive.close();
  const { bytes } = store.counts().put;
  const kept = tables.reduce((sum, table) => sum + table.bytes + table.indexBytes, 0);
  return {
    what: kind === 'steady' ? 'cold bytes put, each message changes once' : 'cold bytes put, all messages replayed',
    unit: 'MB',
    product: bytes / MB,
    ceiling: kept / MB,
    ratio: bytes / kept,
    spread: [bytes / kept, bytes / kept],
    aim: null,
    note:
      `${all.length} messages of 128 bytes of data with ${CCVS} results, flushed each 5 minutes, a compaction each 10; ` +
      (kind === 'steady'
        ? `changed ${LATENCY_MS / 60_000} ± ${LATENCY_DEVIATION_MS / 60_000} minutes later`
        : `then changed in order, ${MESSAGES_A_FLUSH} a flush, counted without what was put before`),
  };
}

async function succeed(origin: Storage, messages: readonly { readonly messageId: Hex }[]): Promise<void> {
  await origin.insertBatch({ statuses: messages.map(({ messageId }) => ({ messageId, status: 'success' })) });
}

async function flushAll(origin: Storage, archive: ColdStorage): Promise<void> {
  await archive.ready();
  for (;;) {
    const set = await origin.changesAfter(archive.appliedPosition(), PAGE);
    await archive.apply(set);
    if (set.throughPosition >= set.headPosition) break;
  }
  await archive.flush();
}

/** Of the standard normal distribution (Box and Muller). */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(random() || Number.MIN_VALUE)) * Math.cos(2 * Math.PI * random());
}
