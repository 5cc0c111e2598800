import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { plain } from '../../contract/subject.js';
import { openMaintained } from '../../support/cold/maintenance.js';
import { follow } from '../../support/cold/storage-life.js';
import { createRecordMaker } from '../../support/records.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';
import { createCountingObjectStore } from '../../support/s3/request-counting.js';

const MESSAGES = 45_000;
const PER_FLUSH = 15_000;
const make = createRecordMaker(80);
const ids: Hex[] = [];
let directory: TestDirectoryStore;
let origin: ReturnType<typeof createMemoryStorage>;

/** One file each of messages and results, with an index that is too large to be read whole. */
beforeAll(async () => {
  directory = await createTestDirectoryStore();
  origin = createMemoryStorage({ name: 'origin' });
  const archive = openMaintained(directory.store);
  for (let flush = 0; flush < MESSAGES / PER_FLUSH; flush += 1) {
    for (let from = 0; from < PER_FLUSH; from += 100) {
      const messages = Array.from({ length: 100 }, () => make.message());
      await origin.insertBatch({ messages, verifierResults: messages.map((message) => make.result(message)) });
      ids.push(...messages.map(({ messageId }) => messageId));
    }
    await follow(archive, origin, 20_000);
    await archive.flush();
  }
  await archive.maintenance.compact({ full: true });
  const { tables } = await archive.maintenance.describe();
  expect(tables.map(({ files }) => files)).toEqual([1, 1, 0, 0]);
  expect(tables[0]!.indexBytes).toBeGreaterThan(512 * 1024);
  await archive.close();
});

afterAll(async () => {
  await origin.close();
  await directory.remove();
});

test('a lookup by id in a large compacted file costs one request and 256 KiB at most, an absent id one', async () => {
  const store = createCountingObjectStore(directory.store);
  const reader = openMaintained(store, { role: 'leader', refreshIntervalMs: 1_000_000 });
  await reader.getCCVData(ids[0]!);
  await reader.getMessage(ids[0]!);
  for (let i = 0; i < 500; i += 1) {
    const id = ids[(i * 7919) % ids.length]!;
    for (const ask of ['getCCVData', 'getMessage'] as const) {
      store.reset();
      const found = await reader[ask](id);
      const { requests, bytes } = store.total();
      // one row group, which the head of the index names
      expect(requests).toBeLessThanOrEqual(1);
      expect(bytes).toBeLessThanOrEqual(256 * 1024);
      if (i % 50 === 0) expect(plain(found)).toEqual(plain(await origin[ask](id)));
    }
    store.reset();
    await expect(reader.getMessage(make.hex(32))).rejects.toMatchObject({ name: 'MessageNotFoundError' });
    expect(store.total().requests).toBeLessThanOrEqual(1);
  }
  await reader.close();
});

test('a page of 100 by time reads the row groups of that time and no footer', async () => {
  const store = createCountingObjectStore(directory.store);
  const reader = openMaintained(store, { role: 'leader', refreshIntervalMs: 1_000_000 });
  await reader.queryMessages({ limit: 1 });
  const { items } = await origin.queryMessages({ limit: MESSAGES });
  for (let i = 0; i < MESSAGES; i += 4003) {
    const startMs = items[i]!.ingestionMs;
    store.reset();
    const page = await reader.queryMessages({ startMs, limit: 100 });
    const { requests, bytes } = store.total();
    expect(requests).toBeLessThanOrEqual(3);
    expect(bytes).toBeLessThanOrEqual(256 * 1024);
    expect(plain(page.items)).toEqual(plain((await origin.queryMessages({ startMs, limit: 100 })).items));
  }
  await reader.close();
});

test('a follower from the beginning is given every change once, in order', async () => {
  const reader = openMaintained(directory.store, { role: 'leader', refreshIntervalMs: 0 });
  let position = 0n;
  for (;;) {
    const { changes, throughPosition, headPosition } = await reader.changesAfter(position, 1000);
    for (const change of changes) {
      position += 1n;
      expect(change.position).toBe(position);
    }
    if (throughPosition >= headPosition) break;
  }
  expect(position).toBe(BigInt(2 * MESSAGES));
  await reader.close();
});

test('a set of large changes ends early, and the next goes on where it ended', async () => {
  const other = await createTestDirectoryStore();
  const large = createMemoryStorage({ name: 'large' });
  for (let i = 0; i < 1500; i += 50)
    await large.insertBatch({ messages: Array.from({ length: 50 }, () => make.message({ dataBytes: 30_000 })) });
  const archive = openMaintained(other.store);
  await follow(archive, large);
  await archive.flush();
  const sizes: number[] = [];
  for (let position = 0n; position < 1500n; ) {
    const { changes, throughPosition } = await archive.changesAfter(position, 10_000);
    for (const [index, change] of changes.entries()) expect(change.position).toBe(position + BigInt(index) + 1n);
    position = throughPosition;
    sizes.push(changes.length);
  }
  // 32 MiB of a little more than 30 000 bytes each
  expect(sizes[0]).toBeGreaterThan(1000);
  expect(sizes[0]).toBeLessThan(1120);
  expect(sizes).toHaveLength(2);
  await archive.close();
  await large.close();
  await other.remove();
});
