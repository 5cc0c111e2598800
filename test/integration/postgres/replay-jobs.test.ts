import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import type { ReplayRequest, ReplayRunner, TakenReplay } from '../../../src/storage/replay-jobs.js';
import { type PgBouncer, startPgBouncer } from '../../support/postgres/pgbouncer.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

let database: TestDatabase;
let pooler: PgBouncer;
/** Two processes behind a pooler that gives each transaction another session. */
let processes: PostgresStorage[];
const make = createRecordMaker(91);

beforeAll(async () => {
  database = await createTestDatabase();
  pooler = await startPgBouncer(database.tcp, 'transaction');
  const connection = pooler.through(database.tcp);
  processes = [createPostgresStorage({ connection }), createPostgresStorage({ connection })];
});
afterAll(async () => {
  await Promise.all(processes.map((storage) => storage.close()));
  await pooler.stop();
  await database.drop();
});

const runner = (owner: string, leaseMs = 3_600_000): ReplayRunner => ({ owner, leaseMs, hasEnded: () => false });
const request = (): ReplayRequest => ({ kind: 'messages', request: '{}', requestHash: make.hex(32) as Hex });

function leaseOf(taken: TakenReplay | null) {
  if (taken?.kind !== 'taken') throw new Error(`not taken: ${taken?.kind}`);
  return taken.lease;
}

it('of runners with equal requests at one time one gets the job, and the others are shown it', async () => {
  const wish = request();
  const taken = await Promise.all(
    Array.from({ length: 6 }, (_, index) => processes[index % 2]!.replays.begin(wish, runner(`r${index}`), false)),
  );
  expect(taken.filter(({ kind }) => kind === 'taken')).toHaveLength(1);
  expect(taken.filter(({ kind }) => kind === 'elsewhere')).toHaveLength(5);
  expect(new Set(taken.map(({ job }) => job.id)).size).toBe(1);
});

it('promise 1: a runner that paused while its job was taken stores nothing and moves no cursor', async () => {
  const [one, two] = processes as [PostgresStorage, PostgresStorage];
  const wish = request();
  // its lease is over when the answer comes
  const paused = leaseOf(await one.replays.begin(wish, runner('paused', 0), false));
  await one.replays.beat(paused, 0, { cursor: '3', progress: '{}' });
  const next = await two.replays.begin(wish, runner('next'), false);
  expect(next.job).toMatchObject({ cursor: '3', owner: 'next', isHeld: true });
  const lease = leaseOf(next);
  const lost = { code: 'LEASE_LOST' };
  await expect(one.insertBatch({ lease: paused, messages: [make.message()] })).rejects.toMatchObject(lost);
  await expect(one.replays.beat(paused, 0, { cursor: '2', progress: '{}' })).rejects.toMatchObject(lost);
  await one.replays.end(paused, 'failed', 'late');
  expect(await two.replays.get(next.job.id)).toMatchObject({ state: 'running', cursor: '3', error: null });
  await two.insertBatch({ lease, messages: [make.message()] });
  expect((await two.countMessages({})).count).toBe(1);

  await two.replays.end(lease, 'done', null);
  expect((await one.replays.begin(wish, runner('third'), false)).kind).toBe('done');
  const again = await one.replays.begin(wish, runner('third'), true);
  expect(again).toMatchObject({ kind: 'taken', job: { cursor: null } });
  expect(again.job.id).not.toBe(next.job.id);
  await expect(two.insertBatch({ lease, messages: [make.message()] })).rejects.toMatchObject(lost);
});

it('a job that was stopped or failed is taken by its number, and one that is not there is not', async () => {
  const [one, two] = processes as [PostgresStorage, PostgresStorage];
  const wish = request();
  const { job } = await one.replays.begin(wish, runner('first'), false);
  expect(await two.replays.take(job.id, runner('second'))).toMatchObject({ kind: 'elsewhere' });
  await one.replays.end(leaseOf(await one.replays.take(job.id, runner('first'))), 'failed', 'no node answers');
  expect(await two.replays.get(job.id)).toMatchObject({ state: 'failed', error: 'no node answers', isHeld: false });
  const ended = { ...runner('third'), hasEnded: (owner: string) => owner === 'second' };
  expect(await two.replays.take(job.id, runner('second'))).toMatchObject({ kind: 'taken', job: { error: null } });
  expect(await one.replays.take(job.id, ended)).toMatchObject({ kind: 'taken' });
  expect(await one.replays.take(999_999n, ended)).toBeNull();
  expect((await one.replays.list(1))[0]?.id).toBe(job.id);
});
