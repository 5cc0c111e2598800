import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Boundary } from '../../../src/model/boundary.js';
import type { MoveRecord } from '../../../src/storage/move-store.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { dumpDatabase } from '../../support/postgres/database-dump.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { liveEventfully } from '../../support/sink/eventful-life.js';

const LONG_MS = 3_600_000;

let from: TestDatabase;
let to: TestDatabase;
const storages: PostgresStorage[] = [];

beforeEach(async () => {
  [from, to] = await Promise.all([createTestDatabase(), createTestDatabase()]);
});
afterEach(async () => {
  await Promise.all(storages.splice(0).map((storage) => storage.close()));
  await Promise.all([from.drop(), to.drop()]);
});

function open({ connection }: TestDatabase, leads = true): PostgresStorage {
  const storage = createPostgresStorage({ connection, leads });
  storages.push(storage);
  return storage;
}

const record = (revision: number, state = `state ${revision}`): MoveRecord => ({ revision, state });

async function headOf(storage: PostgresStorage): Promise<Boundary> {
  return (await storage.moves.look()).head;
}

/** Takes over the changes of `leader` from where `follower` stands. */
async function catchUp(leader: PostgresStorage, follower: PostgresStorage): Promise<void> {
  for (;;) {
    const set = await leader.changesAfter((await headOf(follower)).position, 7);
    await follower.apply(set);
    if (set.throughPosition === set.headPosition) return;
  }
}

async function backfill(leader: PostgresStorage, follower: PostgresStorage, limit = 5): Promise<void> {
  for (;;) {
    const { backfill } = await follower.moves.look();
    if (backfill === null) return;
    await follower.moves.backfill(await leader.changesAfter(backfill.position, limit));
  }
}

/** The rows of a namespace, without what a move itself leaves. */
async function recordsOf(database: TestDatabase) {
  const { ingest_clock, members, move, move_processes, ...tables } = await dumpDatabase(database);
  return tables;
}

describe('a move between databases', () => {
  test('promise 7: one that begins at a boundary holds every record after its backfill, also those changed meanwhile', async () => {
    const [leader, follower] = [open(from), open(to, false)];
    const make = createRecordMaker(1101);
    await liveEventfully(leader, make, 12);
    const boundary = await headOf(leader);
    expect(await follower.moves.follow(record(1), boundary)).toBe(true);
    expect(await follower.moves.look()).toMatchObject({ handedOver: true, head: boundary, floor: boundary });
    // live commits are taken over before the records below them
    await liveEventfully(leader, make, 6);
    await catchUp(leader, follower);
    await backfill(leader, follower);
    await liveEventfully(leader, make, 3);
    await catchUp(leader, follower);
    expect(await follower.moves.look()).toMatchObject({ backfill: null, floor: { position: 0n, ingestionMs: -1 } });
    expect(await recordsOf(to)).toEqual(await recordsOf(from));
    const whole = { startMs: 0, endMs: Number.MAX_SAFE_INTEGER };
    expect(await follower.countCCVData(whole)).toEqual(await leader.countCCVData(whole));
  });

  test('a state that was taken over already stays when the backfill brings an earlier one', async () => {
    const [leader, follower] = [open(from), open(to, false)];
    const make = createRecordMaker(1102);
    const message = make.message();
    await leader.insertBatch({ messages: [message] });
    await follower.moves.follow(record(1), await headOf(leader));
    const before = await leader.changesAfter(0n);
    await leader.insertBatch({ statuses: [{ messageId: message.messageId, status: 'success' }] });
    await catchUp(leader, follower);
    expect(await follower.moves.backfill(before)).toBeNull();
    expect((await follower.getMessage(message.messageId)).status).toBe('success');
  });

  test('promise 6: of two processes that backfill at once each page is taken over once', async () => {
    const [leader, one, other] = [open(from), open(to, false), open(to, false)];
    await liveEventfully(leader, createRecordMaker(1103), 10);
    await one.moves.follow(record(1), await headOf(leader));
    const set = await leader.changesAfter(0n, 4);
    const ends = await Promise.all([one.moves.backfill(set), other.moves.backfill(set)]);
    expect(ends.map((end) => end?.position)).toEqual([set.throughPosition, set.throughPosition]);
    await Promise.all([backfill(leader, one, 3), backfill(leader, other, 3)]);
    expect(await recordsOf(to)).toEqual(await recordsOf(from));
  });

  test('promise 1: after a handing over the old one takes no write and answers nothing, and the new one goes on', async () => {
    const [old, oldAsFollower, next, nextAsFollower] = [open(from), open(from, false), open(to), open(to, false)];
    const make = createRecordMaker(1104);
    await old.insertBatch({ messages: [make.message()] });
    await old.leases.beat({ member: 'worker', sources: ['chain:1'], verifiers: [] }, LONG_MS, []);
    const [lease] = await old.leases.take('worker', ['chain:1']);
    await nextAsFollower.moves.follow(record(1), await headOf(old));
    await backfill(old, nextAsFollower);
    await expect(next.insertBatch({ messages: [make.message()] })).rejects.toMatchObject({
      code: 'STORAGE_HANDED_OVER',
    });

    // a write that is under way is the last, or is refused
    const late = await Promise.allSettled([
      old.insertBatch({ messages: [make.message()] }),
      old.moves.handOver(record(2)),
      old.insertBatch({ messages: [make.message()] }),
    ]);
    const ended = await old.moves.handOver(record(2));
    expect(ended).not.toBeNull();
    const acknowledged = late.filter((each, index) => index !== 1 && each.status === 'fulfilled').length;
    expect(ended!.head.position).toBe(BigInt(1 + acknowledged));
    await expect(old.insertBatch({ messages: [make.message()] })).rejects.toMatchObject({
      code: 'STORAGE_HANDED_OVER',
    });
    await expect(old.queryMessages({})).rejects.toMatchObject({ code: 'STORAGE_HANDED_OVER' });
    expect(await old.health()).toMatchObject({ healthy: false });

    // it leads only from the same head
    if (acknowledged > 0) expect(await nextAsFollower.moves.lead(record(3), ended!)).toBe(false);
    await catchUp(oldAsFollower, nextAsFollower);
    expect(await nextAsFollower.moves.lead(record(3), ended!)).toBe(true);
    expect(await nextAsFollower.moves.lead(record(3), ended!)).toBe(true);
    // the term of the owner goes on
    const outcome = await next.insertBatch({ lease: lease!, messages: [make.message()] });
    expect(outcome.committed?.throughPosition).toBe(ended!.head.position + 1n);
    expect((await next.leases.shares()).members).toMatchObject([{ member: 'worker', sources: ['chain:1'] }]);
    expect(await recordsOf(to)).not.toEqual(await recordsOf(from));
    await catchUp(nextAsFollower, oldAsFollower);
    expect(await recordsOf(to)).toEqual(await recordsOf(from));

    // and back
    const back = await nextAsFollower.moves.handOver(record(4));
    await expect(next.getMessage(make.message().messageId)).rejects.toMatchObject({ code: 'STORAGE_HANDED_OVER' });
    expect(await oldAsFollower.moves.lead(record(4), back!)).toBe(true);
    expect((await old.insertBatch({ messages: [make.message()] })).committed?.throughPosition).toBe(
      back!.head.position + 1n,
    );
  });

  test('promise 1: replays and replaced results go along with the lead, and their numbers go on', async () => {
    const [old, next] = [open(from), open(to, false)];
    const make = createRecordMaker(1105);
    const message = make.message();
    const result = make.result(message);
    await old.insertBatch({ messages: [message], verifierResults: [result] });
    const by = { owner: 'worker', leaseMs: LONG_MS, hasEnded: () => false };
    const request = { kind: 'messages', request: '{}', requestHash: make.hex(32) } as const;
    const taken = await old.replays.begin(request, by, false);
    if (taken.kind !== 'taken') throw new Error('the replay was not taken');
    await old.insertBatch({
      replacesFor: taken.job.id,
      verifierResults: [{ ...result, ccvData: make.bytes(20) }],
    });
    await next.moves.follow(record(1), await headOf(old));
    await backfill(old, next);
    const ended = await old.moves.handOver(record(2));
    expect(await next.moves.lead(record(2), ended!)).toBe(true);
    expect(await recordsOf(to)).toEqual(await recordsOf(from));
    const another = { ...request, requestHash: make.hex(32) };
    const begun = await next.replays.begin(another, by, false);
    expect(begun).toMatchObject({ kind: 'taken', job: { id: taken.job.id + 1n } });
  });

  test('of two that write the same revision one fails, and a repeated write is no other', async () => {
    const { moves } = open(from);
    expect(await moves.put(record(1, 'a'))).toBe(true);
    expect(await moves.put(record(1, 'b'))).toBe(false);
    expect(await moves.put(record(1, 'a'))).toBe(true);
    expect(await moves.put(record(3, 'c'))).toBe(true);
    expect(await moves.put(record(2, 'd'))).toBe(false);
    expect(await moves.handOver(record(2, 'd'))).toBeNull();
    expect(await moves.look()).toMatchObject({ record: { revision: 3, state: 'c' }, handedOver: false });
  });

  test('processes are listed while they are there, with the revision that they work by', async () => {
    const { moves } = open(from);
    await moves.attend({ process: 'b', role: 'api', revision: 1, figures: null }, LONG_MS);
    await moves.attend({ process: 'a', role: 'worker', revision: 1, figures: null }, LONG_MS);
    await moves.attend({ process: 'c', role: 'api', revision: 1, figures: null }, 0);
    await moves.attend({ process: 'b', role: 'api', revision: 2, figures: null }, LONG_MS);
    expect(await moves.processes()).toMatchObject([
      { process: 'a', role: 'worker', revision: 1 },
      { process: 'b', role: 'api', revision: 2 },
    ]);
    await moves.leave('a');
    expect((await moves.processes()).map(({ process }) => process)).toEqual(['b']);
  });
});
