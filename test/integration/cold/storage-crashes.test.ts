import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { ObjectStoreUnavailableError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { createNamespaceTemplate, type NamespaceTemplate } from '../../support/cold/maintenance.js';
import {
  allOf,
  committed,
  createLife,
  createMortalStore,
  follow,
  NAMESPACE,
  openArchive,
} from '../../support/cold/storage-life.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createRecordMaker } from '../../support/records.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';
import {
  createFaultyObjectStore,
  type FaultyObjectStore,
  type StoreCall,
} from '../../support/s3/object-store-faults.js';

const WHEN = ['before', 'after'] as const;

const directories: TestDirectoryStore[] = [];
afterEach(async () => {
  for (const directory of directories.splice(0)) await directory.remove();
});

async function newStore(): Promise<ObjectStore> {
  const directory = await createTestDirectoryStore();
  directories.push(directory);
  return directory.store;
}

const writes = (calls: readonly StoreCall[]) => calls.filter(({ operation }) => operation === 'put').length;

describe('a flush that is cut off', () => {
  const templates = new Map<number, { readonly stored: NamespaceTemplate; readonly before: unknown }>();
  afterAll(async () => {
    for (const { stored } of templates.values()) await stored.remove();
  });

  /** A life whose first half `stored` has: the same one at each call. */
  async function liveOn(seed: number, stored: (origin: Storage) => Promise<void>) {
    const life = createLife(seed, createManualClock());
    await life.live(25);
    await stored(life.origin);
    await life.live(25);
    return life;
  }

  async function templateOf(seed: number) {
    let template = templates.get(seed);
    if (template) return template;
    let before: unknown;
    const stored = await createNamespaceTemplate(async (store) => {
      const first = openArchive(store);
      await liveOn(seed, async (origin) => await follow(first, origin));
      await first.close();
      before = await committed(store);
    });
    template = { stored, before };
    templates.set(seed, template);
    return template;
  }

  /** A namespace with a first flush in it, and an archive that has more to write: new rows, superseding ones, moved ones. */
  async function prepare(seed: number) {
    const { stored, before } = await templateOf(seed);
    const directory = await stored.copy();
    directories.push(directory);
    const { store } = directory;
    const life = await liveOn(seed, async () => undefined);
    const mortal = createMortalStore(store);
    const faulty = createFaultyObjectStore(mortal);
    const archive = openArchive(faulty);
    await follow(archive, life.origin);
    return { life, store, mortal, faulty, archive, before };
  }

  async function countWrites(seed: number): Promise<number> {
    const { faulty, archive } = await prepare(seed);
    const before = writes(faulty.calls);
    await archive.flush();
    await archive.close();
    return writes(faulty.calls) - before;
  }

  test('at any write, and goes on in the same process, ends as if nothing had happened', async () => {
    const total = await countWrites(1);
    expect(total).toBeGreaterThan(8);
    for (let nth = 1; nth <= total; nth += 1)
      for (const when of WHEN) {
        const { life, store, faulty, archive, before } = await prepare(1);
        faulty.failOn({ operation: 'put', nth, when });
        const outcome = await archive.flush().then(
          () => 'flushed',
          () => 'failed',
        );
        const expected = await allOf(life.origin);
        expect(await committed(store)).toEqual(outcome === 'flushed' ? expected : before);
        await archive.flush();
        expect(await committed(store)).toEqual(expected);
        await archive.close();
      }
  });

  test('at any write, by the end of its process, ends as if nothing had happened', async () => {
    const total = await countWrites(2);
    for (let nth = 1; nth <= total; nth += 1)
      for (const when of WHEN) {
        const { life, store, mortal, faulty, archive, before } = await prepare(2);
        faulty.failOn({ operation: 'put', nth, when, error: () => die(mortal) });
        await expect(archive.flush()).rejects.toMatchObject({ name: 'StorageUnavailableError' });
        const expected = await allOf(life.origin);
        // the last write of all is the one that counts
        expect(await committed(store)).toEqual(nth === total && when === 'after' ? expected : before);
        await life.live(3);
        const next = openArchive(store);
        await follow(next, life.origin);
        await next.close();
        expect(await committed(store)).toEqual(await allOf(life.origin));
        await archive.close().catch(() => undefined);
      }
  });

  test('by a store that gives back something else than was written is not committed', async () => {
    const { life, store, faulty, archive, before } = await prepare(3);
    const get = faulty.get.bind(faulty);
    let isBad = true;
    faulty.get = async (key, range) => {
      const bytes = await get(key, range);
      if (isBad && key.includes('part-') && !range) bytes[bytes.length - 20]! ^= 1;
      return bytes;
    };
    await expect(archive.flush()).rejects.toMatchObject({ name: 'StorageUnavailableError' });
    expect(await committed(store)).toEqual(before);
    isBad = false;
    await archive.flush();
    expect(await committed(store)).toEqual(await allOf(life.origin));
    await archive.close();
  });

  test.each(['first', 'in the middle', 'last'])(
    'by a commit that comes to exist late, %s of what the next flush does, is in the namespace once or never',
    async (released) => {
      const { life, store, faulty, archive } = await prepare(4);
      let release: (() => Promise<unknown>) | null = null;
      let isHeld = true;
      const put = faulty.putIfAbsent.bind(faulty);
      faulty.putIfAbsent = async (key, bytes) => {
        if (isHeld && key.includes('ledger/_delta_log')) {
          isHeld = false;
          release = () => store.putIfAbsent(key, bytes);
          throw new ObjectStoreUnavailableError('no answer');
        }
        const outcome = await put(key, bytes);
        if (!isHeld && released === 'in the middle' && key.includes('messages/_delta_log')) await release?.();
        return outcome;
      };
      await expect(archive.flush()).rejects.toMatchObject({ name: 'StorageUnavailableError' });
      await life.live(5);
      await follow(archive, life.origin);
      if (released === 'first') await release!();
      await archive.flush();
      if (released === 'last') expect(await release!()).toBe('exists');
      expect(await committed(store)).toEqual(await allOf(life.origin));
      await archive.close();
      expect(await committed(store)).toEqual(await allOf(life.origin));
    },
  );
});

describe('a batch of the only storage that is cut off', () => {
  const clock = createManualClock();
  const open = (store: ObjectStore) =>
    createColdStorage({ name: 'cold', store, namespace: NAMESPACE, role: 'leader', common: { clock } });

  async function insert(storage: Storage, from: number, to: number): Promise<void> {
    const make = createRecordMaker(50);
    const messages = Array.from({ length: 6 }, () => make.message({ ccvs: [make.hex(20)] }));
    const [a, b] = messages;
    const batches = [
      { messages, cursors: [{ sourceId: 's', height: 1n, hash: null, expectedHeight: null }] },
      { verifierResults: messages.slice(0, 4).map((message) => make.result(message)) },
      {
        orphanings: [{ messageId: a!.messageId, blockHash: a!.origin!.blockHash }],
        statuses: [{ messageId: b!.messageId, status: 'success' as const }],
        verifierResults: [make.result(messages[5]!)],
        cursors: [{ sourceId: 's', height: 2n, hash: null, expectedHeight: 1n }],
      },
    ];
    for (const batch of batches.slice(from, to)) await storage.insertBatch(batch);
  }

  async function undisturbed(): Promise<unknown> {
    const memory = createMemoryStorage({ name: 'memory', common: { clock } });
    await insert(memory, 0, 3);
    return await allOf(memory);
  }

  test('at any write is stored whole or not at all, and can be stored again', async () => {
    const expected = await undisturbed();
    let total = Number.POSITIVE_INFINITY;
    for (let nth = 1; nth <= total; nth += 1)
      for (const when of WHEN) {
        const store = await newStore();
        const mortal = createMortalStore(store);
        const faulty: FaultyObjectStore = createFaultyObjectStore(mortal);
        const storage = open(faulty);
        await insert(storage, 0, 2);
        const before = await committed(store);
        faulty.failOn({ operation: 'put', nth, when, error: () => die(mortal) });
        const cut = await insert(storage, 2, 3).then(
          () => false,
          () => true,
        );
        if (!cut) {
          total = nth - 1;
          await storage.close();
          break;
        }
        const after = await committed(store);
        const next = open(store);
        if (JSON.stringify(after, bigints) === JSON.stringify(before, bigints)) await insert(next, 2, 3);
        else expect(after).toEqual(expected);
        expect(await allOf(next)).toEqual(expected);
        await next.close();
        await storage.close();
      }
    expect(total).toBeGreaterThan(8);
  });
});

function bigints(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

function die(mortal: { kill(): void }): never {
  mortal.kill();
  throw new ObjectStoreUnavailableError('the process was killed');
}
