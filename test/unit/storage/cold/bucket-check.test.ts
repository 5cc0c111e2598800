import { expect, test } from 'vitest';
import type { ObjectStore } from '../../../../src/storage/cold/object-store/object-store.js';
import { checkBucket } from '../../../../src/storage/cold/object-store/s3/bucket-check.js';
import { createMemoryObjectStore, MemoryBucket } from '../../../simulation/process/memory-object-store.js';
import { createManualClock } from '../../../support/manual-clock.js';

function fixture() {
  const bucket = new MemoryBucket();
  const clock = createManualClock();
  const store = createMemoryObjectStore(bucket, clock);
  const overwrite = async (key: string, bytes: Uint8Array) => {
    bucket.objects.set(key, { bytes, modifiedMs: clock.nowMs() });
  };
  const check = (changes: Partial<ObjectStore> = {}) => checkBucket({ ...store, ...changes }, overwrite);
  return { bucket, clock, store, overwrite, check };
}

test('takes away what checks left that were killed, not what others are working on, nor anything else', async () => {
  const { bucket, clock, store, check } = fixture();
  for (let stray = 0; stray < 1100; stray += 1)
    bucket.objects.set(`conditional-write-check-${stray}`, { bytes: new Uint8Array(1), modifiedMs: clock.nowMs() });
  await store.putIfAbsent('record', new Uint8Array(1));
  await clock.advance(3_600_001);
  await store.putIfAbsent('conditional-write-check-young', new Uint8Array(1));
  await check();
  expect([...bucket.objects.keys()].sort()).toEqual(['conditional-write-check-young', 'record']);
});

test('finds a store that lets every one of several writers at once win, and leaves nothing of it', async () => {
  const { bucket, overwrite, check } = fixture();
  const seen = new Set<string>();
  // whoever asks before the first has written finds nothing there
  const putIfAbsent = async (key: string, bytes: Uint8Array) => {
    const isThere = seen.has(key);
    await new Promise((resolve) => setImmediate(resolve));
    if (isThere) return 'exists' as const;
    await overwrite(key, bytes);
    seen.add(key);
    return 'created' as const;
  };
  await expect(check({ putIfAbsent })).rejects.toMatchObject({ details: { name: 'IfNoneMatchIgnored' } });
  expect(bucket.objects.size).toBe(0);
});

test('finds a store that deletes nothing', async () => {
  const { check } = fixture();
  await expect(check({ deleteMany: async () => undefined })).rejects.toMatchObject({
    details: { name: 'DeleteIgnored' },
  });
});

test.each([
  ['by number', (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true })],
  ['by the rules of a language', (a: string, b: string) => a.localeCompare(b, 'en')],
  ['without regard to case', (a: string, b: string) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)],
  ['the last first', (a: string, b: string) => (a < b ? 1 : -1)],
])('finds a store that lists %s', async (_name, compare) => {
  const { bucket, check } = fixture();
  const list: ObjectStore['list'] = async (prefix, { startAfter = '', limit = 1000 } = {}) => {
    const keys = [...bucket.objects.keys()].filter((key) => key.startsWith(prefix)).sort(compare);
    const from = keys.indexOf(startAfter) + 1;
    const objects = keys.slice(from, from + limit).map((key) => ({ key, sizeBytes: 1, modifiedMs: 0 }));
    return { objects, next: from + limit < keys.length ? (objects.at(-1)?.key ?? null) : null };
  };
  await expect(check({ list })).rejects.toMatchObject({ details: { name: 'UnorderedListing' } });
  expect(bucket.objects.size).toBe(0);
});
