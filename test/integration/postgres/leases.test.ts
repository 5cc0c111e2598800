import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import type { Lease } from '../../../src/model/batch.js';
import type { LeaseStore } from '../../../src/storage/lease-store.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { startTap } from '../../support/e2e/tap.js';
import { eventually } from '../../support/eventually.js';
import { createManualClock } from '../../support/manual-clock.js';
import { startPgBouncer } from '../../support/postgres/pgbouncer.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

const SOURCE = 'chain:1';
/** Longer than any test. */
const LONG_MS = 3_600_000;
/** The lease is over when the answer comes. */
const OVER_MS = 0;

let database: TestDatabase;
const storages: PostgresStorage[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(storages.splice(0).map((storage) => storage.close()));
  await database.drop();
});

function open(connection = database.connection, nowMs?: number): PostgresStorage {
  const common = nowMs === undefined ? {} : { common: createCommon({ clock: createManualClock(nowMs) }) };
  const storage = createPostgresStorage({ connection, ...common });
  storages.push(storage);
  return storage;
}

/** The member is there for `leaseMs`, and takes the source. */
async function own(leases: LeaseStore, member: string, leaseMs = LONG_MS): Promise<Lease> {
  await leases.beat({ member, sources: [SOURCE], verifiers: [] }, leaseMs, []);
  const [lease] = await leases.take(member, [SOURCE]);
  expect(lease, `${member} to get the source`).toBeDefined();
  return lease!;
}

const cursor = (height: bigint, expectedHeight: bigint | null) => [
  { sourceId: SOURCE, height, hash: null, expectedHeight },
];

describe('leases', () => {
  test('promise 1: an owner that paused while its source was taken commits nothing, and its successor does', async () => {
    const [paused, next] = [open(), open()];
    const make = createRecordMaker(140);
    const first = await own(paused.leases, 'paused', OVER_MS);
    await paused.insertBatch({ lease: first, messages: [make.message()], cursors: cursor(1n, null) });
    const second = await own(next.leases, 'next');
    expect(second).toEqual({ source: SOURCE, owner: 'next', epoch: first.epoch + 1n });
    const late = { messages: [make.message()], verifierResults: make.results(1), cursors: cursor(2n, 1n) };
    await expect(paused.insertBatch({ lease: first, ...late })).rejects.toMatchObject({ code: 'LEASE_LOST' });
    // also where no cursor would tell
    const { cursors: _, ...records } = late;
    await expect(paused.insertBatch({ lease: first, ...records })).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(await next.getCursor(SOURCE)).toMatchObject({ height: 1n });
    expect((await next.countMessages({})).count).toBe(1);
    expect((await next.countCCVData({})).count).toBe(0);
    await next.insertBatch({ lease: second, ...late });
    expect(await paused.getCursor(SOURCE)).toMatchObject({ height: 2n });
  });

  test('promise 1: a take waits for the commit of the owner before, which is done by then', async () => {
    const tap = await startTap(database.tcp);
    try {
      const [slow, next] = [open({ ...database.tcp, port: tap.port }), open()];
      const lease = await own(slow.leases, 'slow', OVER_MS);
      const make = createRecordMaker(141);
      // the owner stops between the check of its lease and its commit
      let isHeld = true;
      tap.onSent = (chunk) => {
        if (chunk.includes('state_cursors')) tap.pause();
        return 'pass';
      };
      const storing = slow.insertBatch({ lease, messages: [make.message()], cursors: cursor(7n, null) });
      await eventually(
        'the commit to hold the clock',
        async () => (await sessions("state = 'idle in transaction'")) === 1,
      );
      const taking = own(next.leases, 'next').then((taken) => {
        expect(isHeld).toBe(false);
        return taken;
      });
      await eventually('the take to wait', async () => (await sessions("wait_event_type = 'Lock'")) === 1);
      isHeld = false;
      tap.onSent = null;
      tap.resume();
      const taken = await taking;
      await storing;
      expect(taken.epoch).toBe(lease.epoch + 1n);
      expect(await next.getCursor(SOURCE)).toMatchObject({ height: 7n });
    } finally {
      tap.resume();
      await Promise.all(storages.splice(0).map((storage) => storage.close()));
      await tap.close();
    }
  });

  test('promise 1: an owner that is cut off in the middle of a commit holds up its successor for seconds only', async () => {
    const tap = await startTap(database.tcp);
    try {
      const [cut, next] = [open({ ...database.tcp, port: tap.port }), open()];
      const lease = await own(cut.leases, 'cut', OVER_MS);
      tap.onSent = (chunk) => {
        if (chunk.includes('state_cursors')) tap.pause();
        return 'pass';
      };
      const make = createRecordMaker(144);
      const storing = cut.insertBatch({ lease, messages: [make.message()], cursors: cursor(7n, null) });
      storing.catch(() => 'awaited below');
      await eventually(
        'the commit to hold the clock',
        async () => (await sessions("state = 'idle in transaction'")) === 1,
      );
      // the server hears no more of it, and is not told that it is gone
      const taken = await own(next.leases, 'next');
      await next.insertBatch({ lease: taken, messages: [make.message()], cursors: cursor(1n, null) });
      tap.onSent = null;
      tap.resume();
      await expect(storing).rejects.toMatchObject({ code: 'LEASE_LOST' });
      expect(await next.getCursor(SOURCE)).toMatchObject({ height: 1n });
    } finally {
      tap.resume();
      await Promise.all(storages.splice(0).map((storage) => storage.close()));
      await tap.close();
    }
  });

  test('a batch without its lease fails alone, not those that share its commit', async () => {
    const storage = open();
    const make = createRecordMaker(142);
    const lease = await own(storage.leases, 'a');
    const gone = { ...lease, epoch: lease.epoch - 1n };
    const [refused, stored] = await Promise.allSettled([
      storage.insertBatch({ lease: gone, messages: [make.message()] }),
      storage.insertBatch({ lease, messages: [make.message()] }),
    ]);
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'LEASE_LOST' } });
    expect(stored).toMatchObject({ status: 'fulfilled' });
  });

  test('a source has one owner, however many ask at once, and moves when it is released or its owner is gone', async () => {
    const all = [open(), open(), open()];
    const names = ['a', 'b', 'c'];
    const sources = Array.from({ length: 20 }, (_, index) => `chain:${index}`);
    for (const [index, { leases }] of all.entries())
      await leases.beat({ member: names[index]!, sources, verifiers: [] }, LONG_MS, []);
    const taken = await Promise.all(all.map(({ leases }, index) => leases.take(names[index]!, sources)));
    expect(
      taken
        .flat()
        .map(({ source }) => source)
        .sort(),
    ).toEqual([...sources].sort());
    const held = (await all[0]!.leases.shares()).leases;
    for (const { source, owner, epoch } of held) {
      expect(epoch).toBe(1n);
      expect(taken[names.indexOf(owner!)]!.map((lease) => lease.source)).toContain(source);
    }
    const [released] = held;
    const owner = names.indexOf(released!.owner!);
    const other = (owner + 1) % 3;
    expect(await all[other]!.leases.take(names[other]!, [released!.source])).toEqual([]);
    const lease = { source: released!.source, owner: names[owner]!, epoch: 1n };
    await all[owner]!.leases.beat({ member: names[owner]!, sources, verifiers: [] }, LONG_MS, [lease]);
    expect(await all[other]!.leases.take(names[other]!, [released!.source])).toMatchObject([{ epoch: 2n }]);
    // released again by a word that came late: it is another's now
    await all[owner]!.leases.beat({ member: names[owner]!, sources, verifiers: [] }, LONG_MS, [lease]);
    await all[owner]!.leases.leave(names[owner]!);
    const after = await all[other]!.leases.shares();
    expect(after.members.map(({ member }) => member)).toEqual(names.filter((_, index) => index !== owner));
    expect(after.leases.find(({ source }) => source === released!.source)).toMatchObject({ owner: names[other] });
    expect(after.leases.filter((each) => each.owner === names[owner])).toEqual([]);
  });

  test("are measured by the database's clock, whatever the clocks of the workers say", async () => {
    const [early, late] = [open(database.connection, 0), open(database.connection, 4_000_000_000_000)];
    await own(early.leases, 'early');
    const { members } = await late.leases.beat({ member: 'late', sources: [SOURCE], verifiers: [] }, LONG_MS, []);
    expect(members.map(({ member }) => member)).toEqual(['early', 'late']);
    expect(await late.leases.take('late', [SOURCE])).toEqual([]);
    await early.leases.beat({ member: 'early', sources: [SOURCE], verifiers: [] }, OVER_MS, []);
    expect(await late.leases.take('late', [SOURCE])).toMatchObject([{ owner: 'late', epoch: 2n }]);
  });

  test('work through a pooler that gives each transaction another session', async () => {
    const pooler = await startPgBouncer(database.tcp, 'transaction');
    try {
      const [one, two] = [open(pooler.through(database.tcp)), open(pooler.through(database.tcp))];
      const first = await own(one.leases, 'one', OVER_MS);
      const second = await own(two.leases, 'two');
      const make = createRecordMaker(143);
      await two.insertBatch({ lease: second, messages: [make.message()] });
      await expect(one.insertBatch({ lease: first, messages: [make.message()] })).rejects.toMatchObject({
        code: 'LEASE_LOST',
      });
      await two.leases.leave('two');
      expect(await one.leases.shares()).toMatchObject({ members: [], leases: [{ owner: null, epoch: 2n }] });
    } finally {
      await Promise.all(storages.splice(0).map((storage) => storage.close()));
      await pooler.stop();
    }
  });
});

async function sessions(condition: string): Promise<number> {
  const { rows } = await database.sql(
    `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND ${condition}`,
  );
  return rows[0].n;
}
