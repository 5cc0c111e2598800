import { expect, test } from 'vitest';
import type { Change, ChangeSet } from '../../../src/model/batch.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { AdvanceEvent, Storage } from '../../../src/storage/storage.js';
import { createRecordMaker, type RecordMaker } from '../../support/records.js';
import { everything, plain, type Use } from '../subject.js';

export function changeCases(use: Use): void {
  test('the changes of an empty storage are an empty set at position zero', async () => {
    const { storage } = use();
    expect(await storage.changesAfter(0n)).toMatchObject({
      afterPosition: 0n,
      throughPosition: 0n,
      headPosition: 0n,
      headMovePosition: 0n,
      changes: [],
    });
    expect(storage.coverage()).toMatchObject({ afterMs: -1, afterPosition: 0n, movePosition: 0n });
  });

  test('every record is among the changes once, with its present state, at its last change', async () => {
    const { storage } = use();
    await liveALittle(storage, createRecordMaker(20));
    const set = await storage.changesAfter(0n);
    const positions = set.changes.map((change) => change.position);
    expect(positions).toEqual([...positions].sort((a, b) => Number(a - b)));
    expect(new Set(positions).size).toBe(positions.length);
    expect(set.throughPosition).toBe(set.headPosition);
    expect(positions.at(-1)).toBe(set.headPosition);
    expect(new Set(set.changes.map(identity)).size).toBe(set.changes.length);
    expect(new Set(set.changes.map((change) => change.kind))).toEqual(
      new Set(['message', 'verifierResult', 'cursor', 'quarantine', 'conflict']),
    );
    for (const change of set.changes) expect(change.record.position).toBe(change.position);
    const messages = set.changes.flatMap((change) => (change.kind === 'message' ? [change.record] : []));
    for (const message of messages) expect(plain(await storage.getMessage(message.messageId))).toEqual(plain(message));
    const latest = Math.max(...messages.map((message) => message.ingestionMs));
    expect(set.headMs).toBeGreaterThanOrEqual(latest);
    expect(storage.coverage().throughPosition).toBe(set.headPosition);
  });

  test.each([1, 7, 1000])('pages of %i changes join up to the whole', async (limit) => {
    const { storage } = use();
    await liveALittle(storage, createRecordMaker(21));
    const whole = await storage.changesAfter(0n);
    const sets = await pages(storage, limit);
    let after = 0n;
    for (const set of sets) {
      expect(set.afterPosition).toBe(after);
      expect(set.changes.length).toBeLessThanOrEqual(limit);
      for (const { position } of set.changes) {
        expect(position).toBeGreaterThan(set.afterPosition);
        expect(position).toBeLessThanOrEqual(set.throughPosition);
      }
      after = set.throughPosition;
    }
    expect(after).toBe(whole.headPosition);
    expect(plain(sets.flatMap((set) => set.changes))).toEqual(plain(whole.changes));
  });

  test('changes after a position that does not exist yet are a gap, not an empty set', async () => {
    const { storage } = use();
    await storage.insertBatch({ verifierResults: createRecordMaker(22).results(2) });
    expect((await storage.changesAfter(2n)).changes).toEqual([]);
    await expect(storage.changesAfter(3n)).rejects.toMatchObject({ name: 'CoverageGapError' });
  });

  test.each([3, 1000])('a follower that applies them in pages of %i answers alike', async (limit) => {
    const { storage } = use();
    const make = createRecordMaker(23);
    const follower = createMemoryStorage({ name: 'follower', maxStalenessMs: Number.POSITIVE_INFINITY });
    for (let round = 0; round < 3; round += 1) {
      await liveALittle(storage, make);
      for (const set of await pages(storage, limit, follower.coverage().throughPosition)) await follower.apply(set);
      expect(await everything(follower)).toEqual(await everything(storage));
      expect(plain((await follower.changesAfter(0n)).changes)).toEqual(plain((await storage.changesAfter(0n)).changes));
      const { afterMs, throughPosition, movePosition } = storage.coverage();
      expect(follower.coverage()).toMatchObject({ afterMs, throughPosition, movePosition });
    }
    await follower.close();
  });

  test('promise 7: a storage takes over the changes of another with times and positions, and any of them twice', async () => {
    const { storage } = use();
    const origin = createMemoryStorage({ name: 'origin' });
    const make = createRecordMaker(24);
    for (let round = 0; round < 2; round += 1) {
      await liveALittle(origin, make);
      const sets = await pages(origin, 5);
      for (const set of sets) await storage.apply(set);
      for (const set of sets.slice(-2)) await storage.apply(set);
      expect(await everything(storage)).toEqual(await everything(origin));
    }
    expect(plain((await storage.changesAfter(0n)).changes)).toEqual(plain((await origin.changesAfter(0n)).changes));
    await origin.close();
  });

  test('changes that start above where a storage stands are refused', async () => {
    const { storage } = use();
    const origin = createMemoryStorage({ name: 'origin' });
    await liveALittle(origin, createRecordMaker(25));
    await expect(storage.apply(await origin.changesAfter(2n))).rejects.toMatchObject({ name: 'PositionGapError' });
    expect((await storage.queryCCVData({})).items).toEqual([]);
    await origin.close();
  });

  test('above a boundary in time everything is above it in position too', async () => {
    const { storage } = use();
    await liveALittle(storage, createRecordMaker(26));
    const head = await storage.changesAfter(0n);
    const asked = [
      ...[0, head.headMs - 3, head.headMs, head.headMs + 1000].map((ms) => ({ ms })),
      ...[0n, 1n, head.headPosition / 2n, head.headPosition].map((position) => ({ position })),
    ];
    for (const at of asked) {
      const boundary = await storage.boundaryAt(at);
      if ('ms' in at) expect(boundary.ingestionMs).toBeLessThanOrEqual(at.ms);
      else expect(boundary.position).toBeLessThanOrEqual(at.position);
      for (const change of head.changes)
        if ('ingestionMs' in change.record && change.record.ingestionMs > boundary.ingestionMs)
          expect(change.position).toBeGreaterThan(boundary.position);
    }
    expect(await storage.boundaryAt({ position: 0n })).toEqual({ position: 0n, ingestionMs: -1 });
  });

  test('whoever subscribed is told of every commit before its writer, in position order', async () => {
    const { storage } = use();
    const make = createRecordMaker(27);
    const events: AdvanceEvent[] = [];
    const unsubscribe = storage.subscribe((event) => events.push(event));
    const through = () =>
      events.flatMap((event) => (event.kind === 'committed' ? [event.changes.throughPosition] : [])).at(-1) ?? 0n;
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        const { committed } = await storage.insertBatch({ verifierResults: make.results(3) });
        expect(through()).toBeGreaterThanOrEqual(committed!.throughPosition);
      }),
    );
    const sets = events.flatMap((event) => (event.kind === 'committed' ? [event.changes] : []));
    let after = 0n;
    for (const set of sets) {
      expect(set.afterPosition).toBe(after);
      after = set.throughPosition;
    }
    expect(after).toBe(30n);
    expect(plain(sets.flatMap((set) => set.changes))).toEqual(plain((await storage.changesAfter(0n)).changes));
    const told = events.length;
    unsubscribe();
    await storage.insertBatch({ verifierResults: make.results(1) });
    expect(events).toHaveLength(told);
  });
}

async function pages(storage: Storage, limit: number, from = 0n): Promise<ChangeSet[]> {
  const sets: ChangeSet[] = [];
  for (let after = from; ; ) {
    const set = await storage.changesAfter(after, limit);
    sets.push(set);
    if (set.throughPosition === set.headPosition) return sets;
    after = set.throughPosition;
  }
}

function identity(change: Change): string {
  switch (change.kind) {
    case 'message':
      return `m ${change.record.messageId}`;
    case 'verifierResult':
      return `r ${change.record.messageId} ${change.record.verifierSourceAddress} ${change.record.verifierDestAddress}`;
    case 'execution':
      return `e ${change.record.messageId} ${change.record.place.blockHash} ${change.record.place.logIndex}`;
    case 'cursor':
      return `c ${change.record.sourceId}`;
    case 'quarantine':
      return `q ${change.record.sourceId} ${change.record.key}`;
    case 'conflict':
      return `x ${change.record.messageId} ${change.record.receivedHash}`;
  }
}

/** Some commits with every kind of change in them. */
async function liveALittle(storage: Storage, make: RecordMaker): Promise<void> {
  const ccvs = [make.hex(20), make.hex(20)];
  const messages = Array.from({ length: 8 }, () => make.message({ ccvs }));
  const [a, b, c] = messages;
  const cursor = await storage.getCursor('chain:1');
  const height = (cursor?.height ?? 0n) + 10n;
  await storage.insertBatch({
    messages,
    cursors: [{ sourceId: 'chain:1', height, hash: make.hex(32), expectedHeight: cursor?.height ?? null }],
  });
  await storage.insertBatch({ verifierResults: messages.map((message) => make.result(message, 0)) });
  const conflicting = { ...make.result(a!, 1), messageExecutorAddress: make.hex(20) };
  await storage.insertBatch({
    verifierResults: [...messages.slice(1).map((message) => make.result(message, 1)), conflicting],
    statuses: messages.slice(3).map(({ messageId }) => ({ messageId, status: 'success' as const })),
    quarantine: [
      { sourceId: 'chain:1', key: make.hex(8), reason: 'ABI', detail: '', raw: make.bytes(9), messageId: null },
    ],
  });
  await storage.insertBatch({
    orphanings: [a!, b!].map(({ messageId, origin }) => ({ messageId, blockHash: origin!.blockHash })),
    messages: [{ ...c!, origin: make.origin(500n) }],
  });
  await storage.insertBatch({
    messages: [{ ...b!, origin: make.origin(501n) }],
    cursors: [{ sourceId: 'chain:1', height: height + 1n, hash: null, expectedHeight: height }],
  });
}
