import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createVerifierDirectory } from '../../../src/app/verifier-directory.js';
import type { CircuitState } from '../../../src/core/circuit-breaker.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { createMembership, type Membership } from '../../../src/indexer/workers/membership.js';
import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import type { VerifierReport } from '../../../src/model/verifier-report.js';
import type { LeaseStore, Shares } from '../../../src/storage/lease-store.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { type PostgresProxy, startPostgresProxy } from '../../support/postgres/proxy.js';
import { createRecordMaker } from '../../support/records.js';

const SOURCES = Array.from({ length: 6 }, (_, index) => `chain:${index}`);
const BEAT_MS = 20;
/** Longer than any test: a member is gone when a test says so. */
const LEASE_MS = 3_600_000;

interface Worker {
  readonly name: string;
  readonly storage: PostgresStorage;
  readonly membership: Membership;
  /** The sources that it works on now. */
  readonly working: Set<string>;
  /** Ends once it has: works end when the test lets them. */
  stop(): Promise<void>;
  metric(name: string): Promise<number | undefined>;
}

let database: TestDatabase;
let proxy: PostgresProxy;
const workers: Worker[] = [];
/** A work that was told to end waits for this. */
let lastCommit: Promise<void>;
/** Sources that two workers worked on at one time. */
let overlaps: string[];

beforeEach(async () => {
  database = await createTestDatabase();
  proxy = await startPostgresProxy(database.tcp);
  lastCommit = Promise.resolve();
  overlaps = [];
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
  await proxy.close();
  await database.drop();
});

interface Wishes {
  readonly sources?: readonly string[];
  readonly connection?: TestDatabase['connection'];
  readonly ended?: ReadonlySet<string>;
  readonly through?: (leases: LeaseStore) => LeaseStore;
  readonly verifiers?: () => readonly VerifierReport[];
}

function start(
  name: string,
  {
    sources = SOURCES,
    connection = database.connection,
    ended = new Set(),
    through = (leases) => leases,
    verifiers = () => [],
  }: Wishes = {},
): Worker {
  const common = createCommon();
  const storage = createPostgresStorage({ connection, common });
  const membership = createMembership({
    ...{ member: name, store: through(storage.leases), common, beatMs: BEAT_MS, leaseMs: LEASE_MS },
    hasEnded: (member) => ended.has(member),
    verifiers,
  });
  const working = new Set<string>();
  const work = (source: string) => async (signal: AbortSignal) => {
    if (workers.some((other) => other.working.has(source))) overlaps.push(source);
    working.add(source);
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    await lastCommit;
    working.delete(source);
  };
  const stopping = new AbortController();
  const run = membership.run(new Map(sources.map((source) => [source, work(source)])), stopping.signal);
  const worker: Worker = {
    ...{ name, storage, membership, working },
    async stop() {
      stopping.abort();
      await run;
      await storage.close();
    },
    metric: async (metric) => (await common.metrics.getSingleMetric(metric)?.get())?.values[0]?.value,
  };
  workers.push(worker);
  return worker;
}

async function untilEven(...there: readonly Worker[]): Promise<void> {
  await eventually('the sources to be shared evenly', () => {
    const counts = there.map(({ working }) => working.size);
    const all = new Set(there.flatMap(({ working }) => [...working]));
    return all.size === SOURCES.length && Math.max(...counts) - Math.min(...counts) <= 1 ? true : counts;
  });
}

/** Each of them, so often from now on. */
async function untilAllBeat(times: number, ...there: readonly Worker[]): Promise<void> {
  for (const worker of there) {
    const beats = async () => (await worker.metric('indexer_lease_renewals_total')) ?? 0;
    const before = await beats();
    await eventually(`${worker.name} to beat`, async () => (await beats()) >= before + times);
  }
}

async function shares(): Promise<Shares> {
  return await workers.at(-1)!.storage.leases.shares();
}

/** As if it had not beaten for as long as a lease lasts. */
async function expire(name: string): Promise<void> {
  await database.sql('UPDATE ccv.members SET expires_ms = 0 WHERE member = $1', [name]);
}

const ids = createRecordMaker(150)
  .results(200)
  .map(({ messageId }) => messageId);
const partOf = ({ membership }: Worker) => ids.filter((id) => membership.isMine(id));

describe('workers that share sources', () => {
  it('share them evenly; one that joins is given its part, after the last commit of the owner before', async () => {
    const one = start('one');
    await untilEven(one);
    const two = start('two');
    await untilEven(one, two);
    const before = new Map([one, two].map((worker) => [worker.name, new Set(worker.working)]));
    let commit: () => void = () => undefined;
    lastCommit = new Promise((resolve) => {
      commit = resolve;
    });
    const three = start('three');
    await eventually('owners to be leaving', () =>
      [one, two].every(({ membership }) => membership.status().sources.some(({ state }) => state === 'leaving')),
    );
    // the leases stand until then, however often everyone looks
    await untilAllBeat(5, one, two, three);
    expect(three.working.size).toBe(0);
    expect((await shares()).leases.map(({ epoch }) => epoch).every((epoch) => epoch <= 2n)).toBe(true);
    commit();
    await untilEven(one, two, three);
    expect(three.working.size).toBe(2);
    for (const worker of [one, two])
      for (const source of worker.working) expect(before.get(worker.name)).toContain(source);
    expect(overlaps).toEqual([]);
    expect(await one.metric('indexer_members')).toBe(3);
    expect(await three.metric('indexer_sources_owned')).toBe(2);
  });

  it('take over from one that shut down at once, and from one that died when its lease ends', async () => {
    const cut = start('dying', { connection: proxy.tcp });
    const [two, three] = [start('two'), start('three')];
    await untilEven(cut, two, three);
    const kept = new Set(two.working);
    const epochs = new Map((await shares()).leases.map(({ source, epoch }) => [source, epoch]));
    const leavers = new Set(three.working);
    await three.stop();
    workers.splice(workers.indexOf(three), 1);
    // no lease has ended meanwhile
    await untilEven(cut, two);
    for (const source of kept) expect(two.working).toContain(source);
    const after = await shares();
    for (const { source, epoch } of after.leases)
      expect(epoch).toBe(epochs.get(source)! + (leavers.has(source) ? 1n : 0n));
    await proxy.shut();
    await expire('dying');
    await eventually('the other to own all', () => two.working.size === SOURCES.length);
    expect((await shares()).members.map(({ member }) => member)).toEqual(['two']);
  });

  it('give back what one took without knowing it, when it is another one’s by then', async () => {
    const other = { member: 'other', sources: SOURCES, verifiers: [] };
    let isLost = false;
    const through = (leases: LeaseStore): LeaseStore => ({
      ...leases,
      async take(member, sources) {
        const taken = await leases.take(member, sources);
        if (isLost) return taken;
        isLost = true;
        await leases.beat(other, LEASE_MS, []);
        throw new StorageUnavailableError('warm', 'take leases');
      },
    });
    const one = start('one', { through });
    await eventually('half of them to be free for the other', async () => {
      const { leases } = await shares();
      return one.working.size === 3 && leases.filter(({ owner }) => owner === null).length === 3;
    });
    expect((await shares()).leases.filter(({ owner }) => owner === null)).toHaveLength(SOURCES.length / 2);
  });

  it('tell with each beat how their verifiers are doing, also to a process that asks none itself', async () => {
    const report = (name: string, addresses: Hex[]) => ({
      name,
      addresses,
      breaker: 'closed' as CircuitState,
      failures: 0,
    });
    const [a, b] = [report('a', ['0x02', '0x01']), report('b', ['0x03'])];
    start('one', { verifiers: () => [b, a] });
    start('two', { verifiers: () => [a] });
    const replica = createPostgresStorage({ connection: database.connection, use: 'read' });
    const directory = createVerifierDirectory({ clock: createCommon().clock, leases: replica.leases, own: null });
    const atWorkers = async () =>
      (await directory.list())!.map(({ name, addresses, workers: at }) => [
        ...[name, addresses.join()],
        ...at.map(({ worker, breaker, failures }) => `${worker} ${breaker} ${failures}`),
      ]);
    await eventually('both have beaten', async () => (await atWorkers())[0]?.length === 4);
    const ofA = ['a', '0x01,0x02', 'one closed 0', 'two closed 0'];
    expect(await atWorkers()).toEqual([ofA, ['b', '0x03', 'one closed 0']]);
    const since = (await directory.list())![1]!.workers[0]!.seenMs;
    Object.assign(b, { breaker: 'open', failures: 7 });
    await eventually('it is told', async () => (await atWorkers())[1]?.[2] === 'one open 7');
    expect((await directory.list())![1]!.workers[0]!.seenMs).toBeGreaterThan(since);
    await workers.shift()!.stop();
    await eventually('one is gone with its verifiers', async () => (await atWorkers()).length === 1);
    await replica.close();
    await expect(
      createVerifierDirectory({ clock: createCommon().clock, leases: replica.leases, own: null }).list(),
    ).rejects.toThrow();
  });

  it('take over at once from one that is known to have ended', async () => {
    const ended = new Set<string>();
    const dead = start('dead', { connection: proxy.tcp });
    const other = start('other', { ended });
    await untilEven(dead, other);
    await proxy.shut();
    await untilAllBeat(5, other);
    expect(other.working.size).toBe(SOURCES.length / 2);
    ended.add('dead');
    await eventually('the other to own all', () => other.working.size === SOURCES.length);
    expect((await shares()).members.map(({ member }) => member)).toEqual(['other']);
  });

  it('promise 1: one that was cut off stores nothing under its old lease, stops, says so, and takes its part again', async () => {
    const cut = start('cut', { connection: proxy.tcp });
    await untilEven(cut);
    const other = start('other');
    await untilEven(cut, other);
    const lost = [...cut.working];
    await proxy.shut();
    await expire('cut');
    await eventually('the other to own all', () => other.working.size === SOURCES.length);
    // it does not know, and goes on
    expect([...cut.working]).toEqual(lost);
    // its first word is a commit: the beats still fail
    const make = createRecordMaker(151);
    const own = createPostgresStorage({ connection: database.connection });
    const fenced = cut.membership.fence(lost[0]!, own);
    await expect(fenced.insertBatch({ messages: [make.message()] })).rejects.toMatchObject({ code: 'LEASE_LOST' });
    await eventually('the work on it to end', () => !cut.working.has(lost[0]!));
    expect(await cut.metric('indexer_lease_losses_total')).toBe(1);
    const held = other.membership.fence(lost[0]!, own);
    await held.insertBatch({ messages: [make.message()] });
    expect((await own.countMessages({})).count).toBe(1);
    await own.close();
    await proxy.open();
    await untilEven(cut, other);
    expect(await cut.metric('indexer_lease_losses_total')).toBe(lost.length);
    const { leases } = await shares();
    for (const source of cut.working) expect(leases.find((each) => each.source === source)?.owner).toBe('cut');
  });

  it('each ask for their part of the messages, and together for all, whoever comes and goes', async () => {
    let changes = 0;
    const one = start('one', { sources: [] });
    one.membership.onChange(() => {
      changes += 1;
    });
    await one.membership.joined(new AbortController().signal);
    expect(partOf(one)).toHaveLength(ids.length);
    const two = start('two', { sources: [] });
    await two.membership.joined(new AbortController().signal);
    await eventually('one to know of the other', () => changes === 2);
    expect(partOf(one).length + partOf(two).length).toBe(ids.length);
    expect(new Set([...partOf(one), ...partOf(two)]).size).toBe(ids.length);
    const before = partOf(one);
    expect(before.length).toBeGreaterThan(0);
    await two.stop();
    workers.splice(workers.indexOf(two), 1);
    await eventually('one to know that the other left', () => changes === 3);
    expect(partOf(one)).toHaveLength(ids.length);
  });
});
