import { afterAll, beforeAll, expect, test } from 'vitest';
import { readLane } from '../../../src/model/payload.js';
import type { NewMessage } from '../../../src/model/records.js';
import { type ColdStorage, createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { plain } from '../../contract/subject.js';
import { follow, NAMESPACE, openArchive } from '../../support/cold/storage-life.js';
import { createRecordMaker } from '../../support/records.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';
import { type CountingObjectStore, createCountingObjectStore } from '../../support/s3/request-counting.js';

const MAX_REQUESTS = 3;
const MAX_BYTES = 256 * 1024;
const FLUSHES = 3;
const PER_FLUSH = 1500;

const make = createRecordMaker(70);
const RARE = { sender: make.hex(32), receiver: make.hex(20), token: make.hex(32) };
/** The only messages of a flush with the rare contents. */
const RARE_PLACES = [700, 1400];
const messages: NewMessage[] = [];
let directory: TestDirectoryStore;
let origin: ReturnType<typeof createMemoryStorage>;
let store: CountingObjectStore;
let reader: ColdStorage;

/** Three flushes of records of 2 KB. A message's second result, and half of the statuses, come one flush after it. */
beforeAll(async () => {
  directory = await createTestDirectoryStore();
  origin = createMemoryStorage({ name: 'origin' });
  const archive = openArchive(directory.store);
  for (let flush = 0; flush < FLUSHES; flush += 1) {
    const before = messages.slice(-PER_FLUSH);
    const now = Array.from({ length: PER_FLUSH }, (_, place) => {
      const contents = flush === 1 && RARE_PLACES.includes(place) ? RARE : {};
      return make.message({ dataBytes: 600, ccvs: [make.hex(20), make.hex(20)], ...contents });
    });
    messages.push(...now);
    for (let from = 0; from < PER_FLUSH; from += 10) {
      const some = now.slice(from, from + 10);
      const late = before.slice(from, from + 10);
      await origin.insertBatch({ messages: some });
      await origin.insertBatch({
        verifierResults: [...some.map((each) => make.result(each, 0)), ...late.map((each) => make.result(each, 1))],
        statuses: late.filter((_, i) => i % 2 === 0).map(({ messageId }) => ({ messageId, status: 'success' })),
      });
    }
    await follow(archive, origin);
    await archive.flush();
  }
  await archive.close();
});

afterAll(async () => {
  await origin.close();
  await directory.remove();
});

/** A reader whose indexes and footers are warm, and whose row groups are not. */
async function warmReader(): Promise<void> {
  store = createCountingObjectStore(directory.store);
  reader = createColdStorage({
    name: 'reader',
    store,
    namespace: NAMESPACE,
    role: 'leader',
    refreshIntervalMs: 1_000_000,
    // too little for the row groups of any file
    cacheBytes: 2 * 1024 * 1024,
  });
  for (const message of messages.slice(0, 40)) await lookUp(message);
  for (let i = 0; i < 10; i += 1) await reader.getMessage(make.hex(32)).catch(() => null);
}

async function lookUp({ messageId }: NewMessage): Promise<void> {
  expect(plain(await reader.getCCVData(messageId))).toEqual(plain(await origin.getCCVData(messageId)));
  expect(plain(await reader.getMessage(messageId))).toEqual(plain(await origin.getMessage(messageId)));
}

test('a lookup by id costs three requests and 256 KiB at most, whichever flushes its records are in', async () => {
  await warmReader();
  let most = 0;
  for (let i = 0; i < messages.length; i += 97) {
    const { messageId } = messages[(i * 31) % messages.length]!;
    for (const ask of [() => reader.getCCVData(messageId), () => reader.getMessage(messageId)]) {
      store.reset();
      await ask();
      const { requests, bytes } = store.total();
      expect(requests).toBeLessThanOrEqual(MAX_REQUESTS);
      expect(bytes).toBeLessThanOrEqual(MAX_BYTES);
      most = Math.max(most, requests);
    }
    await lookUp(messages[(i * 31) % messages.length]!);
  }
  expect(most).toBeGreaterThan(0);
  await reader.close();
});

test('an id that is not there costs one request at most', async () => {
  await warmReader();
  for (let i = 0; i < 500; i += 1) {
    store.reset();
    await expect(reader.getCCVData(make.hex(32))).rejects.toMatchObject({ name: 'CCVDataNotFoundError' });
    expect(store.total().requests).toBeLessThanOrEqual(1);
  }
  await reader.close();
});

test('a lookup by transaction costs the row group of its message, one that is not there nothing', async () => {
  await warmReader();
  for (let i = 7; i < messages.length; i += 307) {
    const { messageId, origin: sent } = messages[i]!;
    store.reset();
    const { value } = await reader.getTransaction(sent!.transactionHash);
    expect(value.messages.map((message) => message.messageId)).toEqual([messageId]);
    const { requests, bytes } = store.total();
    expect(requests).toBeLessThanOrEqual(MAX_REQUESTS);
    expect(bytes).toBeLessThanOrEqual(MAX_BYTES);
  }
  let requests = 0;
  for (let i = 0; i < 100; i += 1) {
    store.reset();
    expect((await reader.getTransaction(make.hex(32))).value).toEqual({ messages: [], executions: [] });
    requests += store.total().requests;
  }
  // one hash in 65 536 looks as if it were in a file
  expect(requests).toBeLessThanOrEqual(1);
  await reader.close();
});

test('a page of 100 by time costs three requests and 256 KiB at most', async () => {
  await warmReader();
  const { items } = await origin.queryCCVData({ limit: 100_000 });
  for (let i = 0; i < items.length; i += 501) {
    const startMs = items[i]!.ingestionMs;
    store.reset();
    const page = await reader.queryCCVData({ startMs, limit: 100 });
    const { requests, bytes } = store.total();
    expect(requests).toBeLessThanOrEqual(MAX_REQUESTS);
    expect(bytes).toBeLessThanOrEqual(MAX_BYTES);
    expect(plain(page.items)).toEqual(plain((await origin.queryCCVData({ startMs, limit: 100 })).items));
  }
  await reader.close();
});

test('a list of some message numbers of a lane costs the row groups that have them', async () => {
  await warmReader();
  const { sourceChainSelector: source, destChainSelector: dest } = readLane(messages[0]!.encodedMessage);
  const query = { sourceChainSelectors: [source], destChainSelectors: [dest] };
  const numbers = { fromMessageNumber: 2_000n, throughMessageNumber: 2_009n };
  store.reset();
  const { items } = await reader.queryMessages({ ...query, ...numbers });
  expect(items.map(({ messageId }) => messageId)).toEqual(
    (await origin.queryMessages({ ...query, ...numbers })).items.map(({ messageId }) => messageId),
  );
  expect(items).toHaveLength(10);
  expect(store.total().bytes).toBeLessThanOrEqual(MAX_BYTES);
  store.reset();
  expect((await reader.queryMessages({ ...query, fromMessageNumber: 1_000_000n })).items).toEqual([]);
  expect(store.total().requests).toBe(0);
  await reader.close();
});

test('a list of a rare sender, receiver or token costs the row groups that have it, one of an unknown sender nothing', async () => {
  await warmReader();
  const wanted = RARE_PLACES.map((place) => messages[PER_FLUSH + place]!.messageId).sort();
  for (const query of [{ senders: [RARE.sender] }, { receivers: [RARE.receiver] }, { tokens: [RARE.token] }]) {
    store.reset();
    const { items } = await reader.queryMessages(query);
    expect(items.map(({ messageId }) => messageId).sort()).toEqual(wanted);
    expect(store.total().requests).toBeLessThanOrEqual(RARE_PLACES.length);
    expect((await reader.countMessages(query)).count).toBe(RARE_PLACES.length);
    store.reset();
    expect((await reader.queryMessages({ ...query, receivers: [make.hex(20)] })).items).toEqual([]);
    expect((await reader.countMessages({ ...query, tokens: [make.hex(32)] })).count).toBe(0);
    expect(store.total().requests).toBe(0);
  }
  await reader.close();
});

test('counting whole files that nothing supersedes reads none of them', async () => {
  await warmReader();
  store.reset();
  const { count } = await reader.countCCVData({});
  expect(count).toBe((await origin.countCCVData({})).count);
  expect(store.total().requests).toBe(0);
  expect((await reader.countMessages({})).count).toBe(messages.length);
  await reader.close();
});

test('the same read by many at the same time is one request', async () => {
  await warmReader();
  const { messageId } = messages[700]!;
  store.reset();
  await reader.getCCVData(messageId);
  const alone = store.total().requests;
  const { messageId: other } = messages[2 * PER_FLUSH + 700]!;
  await reader.close();
  await warmReader();
  store.reset();
  await Promise.all(Array.from({ length: 20 }, () => reader.getCCVData(other)));
  expect(store.total().requests).toBeLessThanOrEqual(alone);
  await reader.close();
});
