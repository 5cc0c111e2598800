import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import { ObjectStoreUnavailableError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import type { Storage } from '../../../src/storage/storage.js';
import { byCursor, listsOf, place, placesIn, plain } from '../../contract/subject.js';
import { createHoldingObjectStore } from '../../support/cold/maintenance.js';
import { allOf, committed, createLife, follow, NAMESPACE, openArchive } from '../../support/cold/storage-life.js';
import { eventually } from '../../support/eventually.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';
import { createFaultyObjectStore } from '../../support/s3/object-store-faults.js';

let directory: TestDirectoryStore;
beforeEach(async () => {
  directory = await createTestDirectoryStore();
});
afterEach(async () => {
  await directory.remove();
});

describe('an archive', () => {
  test.each([1, 2, 3, 4])('holds after every flush what its origin had then (seed %i)', async (seed) => {
    const life = createLife(seed);
    const archive = openArchive(directory.store);
    for (let round = 0; round < 6; round += 1) {
      await life.live(12);
      await follow(archive, life.origin, round % 2 === 0 ? 7 : 1000);
      await archive.flush();
      expect(await committed(directory.store)).toEqual(await allOf(life.origin));
    }
    await archive.close();
  });

  test('answers for nothing that is not committed, and says so', async () => {
    const life = createLife(5);
    const archive = openArchive(directory.store);
    await life.live(20);
    await follow(archive, life.origin);
    await archive.flush();
    const flushed = await life.origin.changesAfter(0n, 10_000);
    const before = await life.origin.queryMessages({ limit: 1000 });
    await life.live(20);
    await follow(archive, life.origin);
    expect(archive.coverage()).toEqual({
      afterMs: -1,
      throughMs: flushed.headMs,
      afterPosition: 0n,
      throughPosition: flushed.headPosition,
      movePosition: flushed.headMovePosition,
    });
    const applied = await life.origin.changesAfter(0n, 10_000);
    expect(archive.appliedPosition()).toBe(applied.headPosition);
    const page = await archive.queryMessages({ endMs: flushed.headMs, limit: 1000 });
    expect(plain(page.items)).toEqual(plain(before.items));
    expect(page.asOf).toEqual({ position: flushed.headPosition, movePosition: flushed.headMovePosition });
    const gap = { name: 'CoverageGapError' };
    await expect(archive.queryMessages({})).rejects.toMatchObject(gap);
    await expect(archive.countCCVData({ endMs: flushed.headMs + 1 })).rejects.toMatchObject(gap);
    await expect(archive.getMessage(life.known[0]!.messageId)).rejects.toMatchObject(gap);
    await expect(archive.listCursors()).rejects.toMatchObject(gap);
    const { value: message, throughPosition } = await archive.heldMessage(life.known[0]!.messageId);
    expect(message?.messageId).toBe(life.known[0]!.messageId);
    expect(throughPosition).toBe(flushed.headPosition);
    await archive.close();
    expect(await committed(directory.store)).toEqual(await allOf(life.origin));
  });

  test('refuses writes of its own and changes that start above where it stands', async () => {
    const life = createLife(6);
    await life.live(10);
    const archive = openArchive(directory.store);
    await expect(archive.insertBatch({ messages: [life.make.message()] })).rejects.toMatchObject({
      name: 'ArchiveWriteError',
    });
    await expect(archive.apply(await life.origin.changesAfter(3n))).rejects.toMatchObject({ name: 'PositionGapError' });
    await archive.close();
  });

  test('restarted without closing goes on from what is committed', async () => {
    const life = createLife(7);
    for (let round = 0; round < 5; round += 1) {
      const archive = openArchive(directory.store);
      await life.live(8);
      await follow(archive, life.origin);
      await archive.flush();
      const { throughPosition } = archive.coverage();
      await life.live(8);
      await follow(archive, life.origin);
      const next = openArchive(directory.store);
      await next.ready();
      expect(next.appliedPosition()).toBe(throughPosition);
      await follow(next, life.origin);
      await next.close();
      expect(await committed(directory.store)).toEqual(await allOf(life.origin));
      // what it had buffered is covered by now: nothing is doubled
      await archive.close();
      expect(await committed(directory.store)).toEqual(await allOf(life.origin));
    }
  });

  test('flushes by size, by time and when it is closed', async () => {
    const clock = createManualClock();
    const life = createLife(8);
    const archive = createColdStorage({
      name: 'cold',
      store: directory.store,
      namespace: NAMESPACE,
      role: 'follower',
      flushBytes: 4000,
      flushIntervalMs: 60_000,
      common: { clock },
    });
    const stands = () => archive.coverage().throughPosition === archive.appliedPosition();
    await life.live(3);
    await follow(archive, life.origin);
    expect(archive.coverage().throughPosition).toBe(0n);
    await clock.advance(90_000);
    await eventually('the interval flushes', stands);
    const afterInterval = archive.coverage().throughPosition;
    expect(afterInterval).toBeGreaterThan(0n);
    await life.live(30);
    await follow(archive, life.origin);
    await eventually('the size flushes', () => archive.coverage().throughPosition > afterInterval);
    await life.live(1);
    await follow(archive, life.origin);
    await archive.close();
    expect(clock.pending).toBe(0);
    expect(await committed(directory.store)).toEqual(await allOf(life.origin));
  });

  test('in the middle of a long catch-up answers nothing, and everything once it has arrived', async () => {
    const life = createLife(9);
    await life.live(60);
    const archive = openArchive(directory.store);
    const first = await life.origin.changesAfter(0n, 40);
    await archive.apply(first);
    await archive.flush();
    expect(archive.coverage()).toMatchObject({ throughPosition: first.throughPosition, throughMs: -1 });
    await expect(archive.queryMessages({ endMs: 5 })).rejects.toMatchObject({ name: 'CoverageGapError' });
    await life.live(20);
    await follow(archive, life.origin, 10);
    await archive.close();
    expect(await committed(directory.store)).toEqual(await allOf(life.origin));
  });
});

describe('while a backlog is flushed in parts', () => {
  /** A whole state that is flushed and seen by a reader, and then, twice, a part of what came since. */
  async function halfway(seed: number) {
    const life = createLife(seed);
    const archive = openArchive(directory.store);
    const reader = createColdStorage({
      ...{ name: 'reader', store: directory.store, namespace: NAMESPACE, role: 'reader', refreshIntervalMs: 0 },
    });
    await life.live(40);
    await follow(archive, life.origin);
    await archive.flush();
    await reader.ready();
    const { headMs } = await life.origin.changesAfter(0n, 1);
    const then = await answersThrough(life.origin, headMs);
    await life.live(60);
    for (let part = 0; part < 2; part += 1) {
      await archive.apply(await life.origin.changesAfter(archive.appliedPosition(), 15));
      await archive.flush();
    }
    return { life, archive, reader, headMs, then };
  }

  async function answersThrough(storage: Storage, endMs: number) {
    const { items: messages } = await storage.queryMessages({ endMs, limit: 1000 });
    const { items: results } = await storage.queryCCVData({ endMs, limit: 1000 });
    const counts = [(await storage.countMessages({ endMs })).count, (await storage.countCCVData({ endMs })).count];
    return plain({ messages, results, counts });
  }

  test.each([31, 32, 33])(
    'what was whole before is still answered, as it was, also by a process that has just started (seed %i)',
    async (seed) => {
      const { life, archive, reader, headMs, then } = await halfway(seed);
      const late = openArchive(directory.store, 'late');
      for (const storage of [archive, reader, late]) {
        await storage.refresh();
        expect(storage.coverage()).toMatchObject({ afterMs: -1, throughMs: headMs, afterPosition: 0n });
        expect(await answersThrough(storage, headMs)).toEqual(then);
        const { asOf } = await storage.queryMessages({ endMs: headMs });
        expect(asOf.position).toBe(storage.coverage().throughPosition);
        expect((await storage.changesAfter(0n)).headPosition).toBe(asOf.position);
        await expect(storage.queryMessages({ endMs: headMs + 1 })).rejects.toMatchObject({ name: 'CoverageGapError' });
        // of an id all that is flushed is told
        expect(await storage.heldMessage(life.known[0]!.messageId)).toMatchObject({
          throughPosition: archive.appliedPosition(),
        });
      }
      await late.close();
      await follow(archive, life.origin);
      await archive.flush();
      await reader.refresh();
      expect(reader.coverage()).toEqual(archive.coverage());
      expect(archive.coverage().throughPosition).toBe(archive.appliedPosition());
      for (const storage of [reader, archive]) await storage.close();
      expect(await committed(directory.store)).toEqual(await allOf(life.origin));
    },
  );

  test('it is given up once its files are gone', async () => {
    const { archive, reader, headMs } = await halfway(34);
    await archive.maintenance.compact({ full: true });
    await archive.maintenance.vacuum({ graceMs: 0 });
    const late = openArchive(directory.store, 'late');
    for (const storage of [reader, late]) {
      await expect(answersThrough(storage, headMs)).rejects.toMatchObject({ name: 'CoverageGapError' });
      expect(storage.coverage().throughMs).toBe(-1);
      await storage.close();
    }
    await archive.close();
  });
});

describe('several archives of one namespace', () => {
  test('that flush in turn hold every change once', async () => {
    const life = createLife(10);
    const archives = ['a', 'b', 'c'].map((name) => openArchive(directory.store, name));
    for (let round = 0; round < 9; round += 1) {
      await life.live(6);
      for (const archive of archives) await follow(archive, life.origin);
      await archives[round % 3]!.flush();
      expect(await committed(directory.store)).toEqual(await allOf(life.origin));
    }
    for (const archive of archives) await archive.close();
    expect(await committed(directory.store)).toEqual(await allOf(life.origin));
  });

  test('leave what another has just flushed, and a little more, until the next turn', async () => {
    const clock = createManualClock();
    const life = createLife(16);
    const options = { store: directory.store, namespace: NAMESPACE, role: 'follower', flushIntervalMs: 1000 } as const;
    const archives = ['a', 'b'].map((name) => createColdStorage({ ...options, name, common: { clock } }));
    await life.live(5);
    for (const archive of archives) await follow(archive, life.origin);
    await archives[0]!.flush();
    const { throughPosition } = archives[0]!.coverage();
    await life.live(1);
    await follow(archives[1]!, life.origin);
    await clock.advance(1300);
    await eventually('the other has looked', () => archives[1]!.coverage().throughPosition === throughPosition);
    await clock.settle();
    expect(archives[1]!.coverage().throughPosition).toBe(throughPosition);
    await eventually('its turn comes', async () => {
      // the look before may still be ending
      await clock.advance(1300);
      return archives[1]!.coverage().throughPosition > throughPosition;
    });
    for (const archive of archives) await archive.close();
    expect(await committed(directory.store)).toEqual(await allOf(life.origin));
  });

  test('that flush at the same time hold every change once', async () => {
    const life = createLife(11);
    const archives = ['a', 'b', 'c'].map((name) => openArchive(directory.store, name, 30_000));
    for (let round = 0; round < 6; round += 1) {
      await life.live(10);
      await Promise.all(archives.map((archive) => follow(archive, life.origin, 5 + round)));
      await Promise.all(archives.map((archive) => archive.flush()));
      expect(await committed(directory.store)).toEqual(await allOf(life.origin));
    }
    for (const archive of archives) await archive.close();
  });

  test('leave one that has only its last commit to do alone for the takeover time', async () => {
    const life = createLife(17);
    const holding = createHoldingObjectStore(directory.store);
    const faulty = createFaultyObjectStore(directory.store);
    const [busy, other] = [openArchive(holding, 'busy', 30_000), openArchive(faulty, 'other', 30_000)];
    await life.live(10);
    await follow(busy, life.origin);
    await busy.flush();
    await life.live(10);
    for (const archive of [busy, other]) await follow(archive, life.origin);
    const reached = holding.hold((key) => key.startsWith(`${NAMESPACE}/ledger/_delta_log/`));
    const flushing = busy.flush();
    const { release } = await reached;
    await expect(other.flush()).rejects.toMatchObject({
      name: 'StorageUnavailableError',
      cause: { code: 'COLD_BUSY' },
    });
    expect(faulty.calls.filter(({ operation }) => operation === 'put')).toEqual([]);
    release();
    await flushing;
    await other.flush();
    expect(faulty.calls.filter(({ operation }) => operation === 'put')).toEqual([]);
    expect(await committed(directory.store)).toEqual(await allOf(life.origin));
    for (const archive of [busy, other]) await archive.close();
  });

  test('that take each other for dead still hold every change once', async () => {
    const life = createLife(12);
    const archives = ['a', 'b', 'c'].map((name) => openArchive(directory.store, name, 0));
    for (let round = 0; round < 6; round += 1) {
      await life.live(10);
      await Promise.all(archives.map((archive) => follow(archive, life.origin)));
      await Promise.allSettled(archives.map((archive) => archive.flush()));
      await archives[0]!.flush();
      expect(await committed(directory.store)).toEqual(await allOf(life.origin));
    }
    for (const archive of archives) await archive.close();
  });
});

test.each([21, 22, 23, 24, 25, 26])(
  'over days, with flushes in the middle of catching up, restarts and two writers, ends equal (seed %i)',
  async (seed) => {
    const clock = createManualClock();
    const life = createLife(seed, clock);
    const { random } = life.make;
    const open = () => openArchive(directory.store);
    const archives = [open(), open()];
    for (let round = 0; round < 14; round += 1) {
      await clock.advance(Math.floor(random() * 20 * 3_600_000));
      await life.live(1 + Math.floor(random() * 12));
      const which = Math.floor(random() * 2);
      const archive = archives[which]!;
      if (random() < 0.4) {
        // a part of what there is, and then a flush: not a whole state
        await archive.ready();
        await archive.apply(await life.origin.changesAfter(archive.appliedPosition(), 1 + Math.floor(random() * 9)));
        if (random() < 0.7) await archive.flush();
        await life.live(2);
      }
      if (random() < 0.25) archives[which] = open();
      await follow(archives[which]!, life.origin, 1 + Math.floor(random() * 20));
      if (random() < 0.3) continue;
      await archives[which]!.flush();
      expect(await committed(directory.store)).toEqual(await allOf(life.origin));
    }
    for (const archive of archives) await archive.close();
    const last = open();
    await follow(last, life.origin);
    await last.close();
    expect(await committed(directory.store)).toEqual(await allOf(life.origin));
  },
);

test('while the object store is away changes are kept up to a bound, and all are there when it is back', async () => {
  const life = createLife(15);
  const faulty = createFaultyObjectStore(directory.store);
  const flushBytes = 20_000;
  const archive = createColdStorage({
    name: 'cold',
    store: faulty,
    namespace: NAMESPACE,
    role: 'follower',
    flushBytes,
    takeoverMs: 0,
  });
  await life.live(10);
  await follow(archive, life.origin);
  await archive.flush();
  const { throughPosition } = archive.coverage();
  const put = faulty.putIfAbsent.bind(faulty);
  let isAway = true;
  faulty.putIfAbsent = async (key, bytes) => {
    if (isAway) throw new ObjectStoreUnavailableError('away');
    return await put(key, bytes);
  };
  let refused: unknown = null;
  for (let round = 0; round < 200 && refused === null; round += 1) {
    await life.live(5);
    refused = await follow(archive, life.origin).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(archive.coverage().throughPosition).toBe(throughPosition);
  }
  expect(refused).toMatchObject({ name: 'StorageUnavailableError', retryable: true });
  expect(plain((await archive.queryMessages({ endMs: archive.coverage().throughMs })).items)).not.toEqual([]);
  isAway = false;
  await follow(archive, life.origin);
  await archive.close();
  expect(await committed(directory.store)).toEqual(await allOf(life.origin));
});

test('a reader that is open sees the commits of another instance', async () => {
  const life = createLife(13);
  const archive = openArchive(directory.store);
  const reader = createColdStorage({
    name: 'reader',
    store: directory.store,
    namespace: NAMESPACE,
    role: 'leader',
    refreshIntervalMs: 0,
  });
  const told: bigint[] = [];
  reader.subscribe((event) => event.kind === 'advanced' && told.push(event.throughPosition));
  for (let round = 0; round < 4; round += 1) {
    await life.live(10);
    await follow(archive, life.origin);
    await archive.flush();
    expect(await allOf(reader)).toEqual(await allOf(life.origin));
    if (round > 0) expect(told.at(-1)).toBe(archive.coverage().throughPosition);
  }
  await reader.close();
  await archive.close();
});

test('lists, counts and cursors agree with the flat list under every filter, over files that overlap', async () => {
  const life = createLife(14);
  const archive = openArchive(directory.store);
  for (let round = 0; round < 12; round += 1) {
    await life.live(15);
    await follow(archive, life.origin);
    await archive.flush();
  }
  await archive.close();
  const reader = createColdStorage({ name: 'reader', store: directory.store, namespace: NAMESPACE, role: 'leader' });
  for (const [index, list] of listsOf(reader).entries()) {
    const flat = (await listsOf(life.origin)[index]!.query({ limit: 10_000 })).items;
    const at = (share: number) => flat[Math.floor(share * (flat.length - 1))]!.ingestionMs;
    for (const range of [{}, { startMs: at(0.3) }, { endMs: at(0.6) }, { startMs: at(0.2), endMs: at(0.7) }])
      for (const sourceChainSelectors of [[], [1n], [2n, 5n], [9n]]) {
        const query = { ...range, sourceChainSelectors };
        const expected = placesIn(flat)(query);
        expect((await list.count(query)).count).toBe(expected.length);
        expect((await byCursor(list, query, 7)).map(place)).toEqual(expected);
        for (const offset of [1, 13, 40, 200])
          expect((await list.query({ ...query, offset, limit: 9 })).items.map(place)).toEqual(
            expected.slice(offset, offset + 9),
          );
      }
  }
  await reader.close();
});
