import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClosedError, InvalidArgumentError } from '../../src/core/errors.js';
import { seededRandom } from '../../src/core/random.js';
import { compareKeys } from '../../src/storage/cold/object-store/object-key.js';
import type { ListedObject, ObjectStore } from '../../src/storage/cold/object-store/object-store.js';
import { ObjectNotFoundError, ObjectRangeError } from '../../src/storage/cold/object-store/object-store-errors.js';

/** A store under test, empty. */
export interface ObjectStoreSubject {
  readonly store: ObjectStore;
  /** Another one on the same objects, as another process has it. */
  readonly other: ObjectStore;
  remove(): Promise<void>;
}

const MIB = 1024 * 1024;

const STRANGE_KEYS = [
  'a',
  'a b/c+d/e%20f',
  'part=2024-01-02/x&y?z#.parquet',
  '_delta_log/00000000000000000000.json',
  '_delta_log/_last_checkpoint',
  'quotes\'"<>/$@:,;~!*()[]{}^`|',
  'ünïcödé/日本語/😀',
  '.hidden/..double/...',
  'x'.repeat(255),
  `${'deep/'.repeat(40)}end`,
] as const;

/** What every object store promises, run by each implementation. */
export function describeObjectStore(name: string, create: () => Promise<ObjectStoreSubject>): void {
  describe(`object store: ${name}`, () => {
    let subject: ObjectStoreSubject;
    let store: ObjectStore;
    let scope = 0;
    /** A prefix of the test's own. */
    const fresh = () => `case-${++scope}`;

    beforeAll(async () => {
      subject = await create();
      store = subject.store;
    });
    afterAll(async () => {
      await subject?.remove();
    });

    it('answers for a store that holds nothing', async () => {
      const empty = await create();
      try {
        expect(await empty.store.list('')).toEqual({ objects: [], next: null });
        await expect(empty.store.get('a')).rejects.toBeInstanceOf(ObjectNotFoundError);
        await empty.store.deleteMany(['a', 'b/c']);
      } finally {
        await empty.remove();
      }
    });

    it('gives back what was put, to others too, in memory of its own', async () => {
      const key = `${fresh()}/object`;
      const bytes = randomBytes(10_000, 1);
      expect(await store.putIfAbsent(key, bytes)).toBe('created');
      const read = await subject.other.get(key);
      expect(Buffer.compare(read, bytes)).toBe(0);
      expect(read.buffer.byteLength).toBe(bytes.byteLength);
      const part = await store.get(key, { start: 10, endExclusive: 20 });
      expect(part.buffer.byteLength).toBe(10);
    });

    it('puts the bytes of a view, not those around it', async () => {
      const key = `${fresh()}/view`;
      const view = new Uint8Array(Buffer.from('..inside..')).subarray(2, 8);
      await store.putIfAbsent(key, view);
      expect(Buffer.from(await store.get(key)).toString()).toBe('inside');
    });

    it('never overwrites', async () => {
      const key = `${fresh()}/once`;
      expect(await store.putIfAbsent(key, Buffer.from('first'))).toBe('created');
      expect(await store.putIfAbsent(key, Buffer.from('second'))).toBe('exists');
      expect(await subject.other.putIfAbsent(key, Buffer.from('first'))).toBe('exists');
      expect(Buffer.from(await store.get(key)).toString()).toBe('first');
    });

    it('has one winner in every race of twelve', async () => {
      for (let round = 0; round < 10; round++) {
        const key = `${fresh()}/race`;
        const answers = await Promise.all(
          Array.from({ length: 12 }, async (_, racer) => {
            const from = racer % 2 === 0 ? store : subject.other;
            return { racer, answer: await from.putIfAbsent(key, Buffer.from(`racer ${racer}`)) };
          }),
        );
        const winners = answers.filter(({ answer }) => answer === 'created');
        expect(winners).toHaveLength(1);
        expect(Buffer.from(await store.get(key)).toString()).toBe(`racer ${winners[0]!.racer}`);
      }
    });

    it('has one winner also when all racers bring the same bytes', async () => {
      const key = `${fresh()}/race`;
      const answers = await Promise.all(Array.from({ length: 12 }, () => store.putIfAbsent(key, Buffer.from('same'))));
      expect(answers.filter((answer) => answer === 'created')).toHaveLength(1);
    });

    it('takes a key again after its object was deleted', async () => {
      const key = `${fresh()}/again`;
      await store.putIfAbsent(key, Buffer.from('old'));
      await store.deleteMany([key]);
      expect(await store.putIfAbsent(key, Buffer.from('new'))).toBe('created');
      expect(Buffer.from(await store.get(key)).toString()).toBe('new');
    });

    it('reads every kind of range', async () => {
      const key = `${fresh()}/ranges`;
      const bytes = randomBytes(100_000, 2);
      await store.putIfAbsent(key, bytes);
      for (const [start, endExclusive] of [
        [0, 1],
        [0, 100_000],
        [1, 2],
        [99_999, 100_000],
        [65_535, 65_537],
        [12_345, 67_890],
      ] as const) {
        const read = await store.get(key, { start, endExclusive });
        expect(Buffer.compare(read, bytes.subarray(start, endExclusive))).toBe(0);
      }
    });

    it('refuses a range that reaches past the end', async () => {
      const key = `${fresh()}/short`;
      await store.putIfAbsent(key, Buffer.alloc(10));
      for (const range of [
        { start: 0, endExclusive: 11 },
        { start: 9, endExclusive: 20 },
        { start: 10, endExclusive: 11 },
        { start: 500, endExclusive: 600 },
      ])
        await expect(store.get(key, range)).rejects.toBeInstanceOf(ObjectRangeError);
    });

    it.each([
      { start: 0, endExclusive: 0 },
      { start: 5, endExclusive: 4 },
      { start: -1, endExclusive: 4 },
      { start: 0.5, endExclusive: 4 },
      { start: 0, endExclusive: Number.POSITIVE_INFINITY },
      { start: Number.NaN, endExclusive: 4 },
    ])('refuses the range $start to $endExclusive', async (range) => {
      await expect(store.get('a', range)).rejects.toBeInstanceOf(InvalidArgumentError);
    });

    it('holds empty objects', async () => {
      const key = `${fresh()}/empty`;
      expect(await store.putIfAbsent(key, new Uint8Array())).toBe('created');
      expect((await store.get(key)).byteLength).toBe(0);
      expect((await store.head(key)).sizeBytes).toBe(0);
      expect(await store.putIfAbsent(key, new Uint8Array())).toBe('exists');
      await expect(store.get(key, { start: 0, endExclusive: 1 })).rejects.toBeInstanceOf(ObjectRangeError);
    });

    it('holds objects of 16 MiB', async () => {
      const key = `${fresh()}/large`;
      const bytes = randomBytes(16 * MIB, 3);
      expect(await store.putIfAbsent(key, bytes)).toBe('created');
      expect(Buffer.compare(await store.get(key), bytes)).toBe(0);
      const tail = { start: 16 * MIB - 70_000, endExclusive: 16 * MIB };
      expect(Buffer.compare(await store.get(key, tail), bytes.subarray(tail.start))).toBe(0);
    });

    it('takes keys with characters that need encoding', async () => {
      const prefix = `${fresh()}/`;
      for (const key of STRANGE_KEYS) {
        // a name that goes on as a folder cannot exist beside it
        expect(await store.putIfAbsent(prefix + key, Buffer.from(key))).toBe('created');
      }
      for (const key of STRANGE_KEYS) {
        expect(Buffer.from(await store.get(prefix + key)).toString()).toBe(key);
        expect((await store.head(prefix + key)).sizeBytes).toBe(Buffer.byteLength(key));
        expect((await store.list(prefix + key)).objects.map((object) => object.key)).toContain(prefix + key);
      }
      const listed = (await store.list(prefix)).objects.map((object) => object.key.slice(prefix.length));
      expect(listed).toEqual([...STRANGE_KEYS].sort(compareKeys));
      await store.deleteMany(STRANGE_KEYS.map((key) => prefix + key));
      expect((await store.list(prefix)).objects).toEqual([]);
    });

    it.each(
      [
        '',
        '/a',
        'a/',
        'a//b',
        '.',
        '..',
        'a/../b',
        './a',
        'a\\b',
        'a\0b',
        'a\nb',
        '\ud800',
        'x'.repeat(256),
        `${'x/'.repeat(450)}x`,
        '.uploading/a',
      ].map((key) => ({ key, shown: key.length > 40 ? `${key.slice(0, 40)}…` : key })),
    )('refuses the key $shown', async ({ key }) => {
      await expect(store.putIfAbsent(key, Buffer.from('x'))).rejects.toBeInstanceOf(InvalidArgumentError);
      await expect(store.get(key)).rejects.toBeInstanceOf(InvalidArgumentError);
      await expect(store.head(key)).rejects.toBeInstanceOf(InvalidArgumentError);
      await expect(store.deleteMany(['fine', key])).rejects.toBeInstanceOf(InvalidArgumentError);
    });

    it('tells size and age', async () => {
      const key = `${fresh()}/head`;
      await store.putIfAbsent(key, Buffer.alloc(123));
      const head = await store.head(key);
      expect(head.sizeBytes).toBe(123);
      expect(Number.isInteger(head.modifiedMs)).toBe(true);
      // servers give whole seconds and have clocks of their own; a day off would be a wrong unit
      expect(Math.abs(head.modifiedMs - Date.now())).toBeLessThan(86_400_000);
      expect((await store.list(key)).objects).toEqual([{ key, ...head }]);
    });

    it('says so when there is no object', async () => {
      const prefix = fresh();
      await store.putIfAbsent(`${prefix}/folder/object`, Buffer.from('x'));
      for (const key of [`${prefix}/none`, `${prefix}/folder`, `${prefix}/folder/object/deeper`]) {
        await expect(store.get(key)).rejects.toBeInstanceOf(ObjectNotFoundError);
        await expect(store.get(key, { start: 0, endExclusive: 1 })).rejects.toBeInstanceOf(ObjectNotFoundError);
        await expect(store.head(key)).rejects.toBeInstanceOf(ObjectNotFoundError);
      }
    });

    it('lists in byte order of the keys, also where folders and names meet', async () => {
      const prefix = `${fresh()}/`;
      // '-' < '.' < '/' < '0' < 'A' < 'a' < '\uff5e' < '😀' in UTF-8; the last two are the other way round in UTF-16
      const keys = ['a-b', 'a.b', 'a/b', 'a/b-', 'a/c/d', 'a/c-d', 'a0', 'A', 'ab', 'a\uff5e', 'a😀/x-', 'b'].map(
        (key) => prefix + key,
      );
      for (const key of keys) await store.putIfAbsent(key, Buffer.from(key));
      const expected = [...keys].sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
      expect(await listAll(store, prefix, 1000)).toEqual(expected);
      for (const limit of [1, 2, 3]) expect(await listAll(store, prefix, limit)).toEqual(expected);
    });

    it('lists by any beginning of a key', async () => {
      const root = fresh();
      const keys = ['x/1', 'x/12', 'x/2/3', 'xy/1', 'z'].map((key) => `${root}/${key}`);
      for (const key of keys) await store.putIfAbsent(key, Buffer.from('x'));
      expect(await listAll(store, `${root}/x/1`, 1000)).toEqual([keys[0], keys[1]]);
      expect(await listAll(store, `${root}/x/`, 1000)).toEqual(keys.slice(0, 3));
      expect(await listAll(store, `${root}/x`, 1000)).toEqual(keys.slice(0, 4));
      expect(await listAll(store, `${root}/x/2/3`, 1000)).toEqual([keys[2]]);
      expect(await listAll(store, `${root}/nothing`, 1000)).toEqual([]);
      expect(await listAll(store, `${root}/x/1/none`, 1000)).toEqual([]);
      expect(await listAll(store, '../', 1000)).toEqual([]);
      expect(await listAll(store, '/', 1000)).toEqual([]);
    });

    it('starts after any text', async () => {
      const prefix = `${fresh()}/`;
      const keys = ['a', 'b/1', 'b/2', 'c'].map((key) => prefix + key);
      for (const key of keys) await store.putIfAbsent(key, Buffer.from('x'));
      const keysAfter = async (startAfter: string) =>
        (await store.list(prefix, { startAfter })).objects.map((object) => object.key);
      expect(await keysAfter(`${prefix}a`)).toEqual(keys.slice(1));
      expect(await keysAfter(`${prefix}b`)).toEqual(keys.slice(1));
      expect(await keysAfter(`${prefix}b/`)).toEqual(keys.slice(1));
      expect(await keysAfter(`${prefix}b/1`)).toEqual(keys.slice(2));
      expect(await keysAfter(`${prefix}b/1x`)).toEqual(keys.slice(2));
      expect(await keysAfter(`${prefix}b0`)).toEqual(keys.slice(3));
      expect(await keysAfter(`${prefix}c`)).toEqual([]);
      expect(await keysAfter('')).toEqual(keys);
    });

    it.each([0, -1, 1.5, Number.NaN])('refuses the limit %s', async (limit) => {
      await expect(store.list('', { limit })).rejects.toBeInstanceOf(InvalidArgumentError);
    });

    it('pages through more than a thousand objects and deletes them all in one call', async () => {
      const prefix = `${fresh()}/`;
      const keys = Array.from(
        { length: 1205 },
        (_, index) => `${prefix}${index % 3}/${String(index).padStart(5, '0')}`,
      );
      await inParallel(keys, 16, (key) => store.putIfAbsent(key, Buffer.from(key)));
      const first = await store.list(prefix, { limit: 5000 });
      expect(first.objects).toHaveLength(1000);
      expect(first.next).toBe(first.objects.at(-1)!.key);
      const expected = [...keys].sort(compareKeys);
      expect(await listAll(store, prefix, 1000)).toEqual(expected);
      expect(await listAll(store, prefix, 400)).toEqual(expected);
      await store.deleteMany([...keys, ...keys.slice(0, 10)]);
      expect(await listAll(store, prefix, 1000)).toEqual([]);
    });

    it('deletes what is there and does not mind what is not', async () => {
      const prefix = fresh();
      const keys = [`${prefix}/a`, `${prefix}/b/c`, `${prefix}/none`, `${prefix}/none/deeper`];
      await store.putIfAbsent(keys[0]!, Buffer.from('x'));
      await store.putIfAbsent(keys[1]!, Buffer.from('x'));
      await store.deleteMany(keys);
      await store.deleteMany(keys);
      await store.deleteMany([]);
      await expect(store.get(keys[0]!)).rejects.toBeInstanceOf(ObjectNotFoundError);
      await expect(store.head(keys[1]!)).rejects.toBeInstanceOf(ObjectNotFoundError);
    });

    it('does not delete a folder that has the name', async () => {
      const prefix = fresh();
      await store.putIfAbsent(`${prefix}/folder/object`, Buffer.from('x'));
      await store.deleteMany([`${prefix}/folder`]);
      expect((await store.get(`${prefix}/folder/object`)).byteLength).toBe(1);
    });

    it('refuses work once it is closed', async () => {
      const closing = await create();
      try {
        await closing.store.close();
        await closing.store.close();
        await expect(closing.store.get('a')).rejects.toBeInstanceOf(ClosedError);
        await expect(closing.store.putIfAbsent('a', Buffer.from('x'))).rejects.toBeInstanceOf(ClosedError);
        await expect(closing.store.list('')).rejects.toBeInstanceOf(ClosedError);
        await expect(closing.store.head('a')).rejects.toBeInstanceOf(ClosedError);
        await expect(closing.store.deleteMany(['a'])).rejects.toBeInstanceOf(ClosedError);
      } finally {
        await closing.remove();
      }
    });
  });
}

async function listAll(store: ObjectStore, prefix: string, limit: number): Promise<string[]> {
  const found: ListedObject[] = [];
  let startAfter = '';
  for (;;) {
    const page = await store.list(prefix, { startAfter, limit });
    expect(page.objects.length).toBeLessThanOrEqual(limit);
    found.push(...page.objects);
    if (page.next === null) return found.map((object) => object.key);
    startAfter = page.next;
  }
}

async function inParallel<T>(items: readonly T[], width: number, work: (item: T) => Promise<unknown>): Promise<void> {
  const rest = [...items];
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let item = rest.pop(); item !== undefined; item = rest.pop()) await work(item);
    }),
  );
}

function randomBytes(sizeBytes: number, seed: number): Buffer {
  const random = seededRandom(seed);
  const bytes = Buffer.alloc(sizeBytes);
  for (let index = 0; index < sizeBytes; index++) bytes[index] = Math.floor(random() * 256);
  return bytes;
}
