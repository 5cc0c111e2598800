import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { plain } from '../../contract/subject.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker, type RecordMaker } from '../../support/records.js';
import { openTracedTiers, type TracedTiers } from '../../support/sink/traced-tiers.js';

type Message = ReturnType<RecordMaker['message']>;

/** Planned into slices of time, each asked of one tier, put together as if they were one list; planned again by parts. */
describe('the way of a list', () => {
  let database: TestDatabase;
  let tiers: TracedTiers;
  let make: RecordMaker;
  beforeEach(async () => {
    database = await createTestDatabase();
    tiers = await openTracedTiers(database, 4);
    make = createRecordMaker(62);
  });
  afterEach(async () => {
    await tiers.sink.close();
    await database.drop();
  });

  async function store(count: number): Promise<Message[]> {
    const messages = Array.from({ length: count }, () => make.message());
    for (const message of messages) await tiers.sink.insertBatch({ messages: [message] });
    return messages;
  }
  /** The oldest in the cold tier alone, the next in Postgres, the newest in memory too. */
  async function spread(): Promise<Message[]> {
    const old = await store(6);
    await tiers.flush();
    await tiers.prune();
    const all = [...old, ...(await store(12))];
    await tiers.evict();
    return all;
  }
  const planOf = () => tiers.sink.explain({}).slices.map(({ backend }) => backend);
  const idsOf = async (query = {}) => (await tiers.sink.queryMessages(query)).items.map(({ messageId }) => messageId);
  const ids = (messages: readonly Message[]) => messages.map(({ messageId }) => messageId);

  test('1: memory covers the range, and is asked alone', async () => {
    const all = await store(2);
    expect(planOf()).toEqual(['hot']);
    expect(await tiers.stepsOf(async () => expect(await idsOf()).toEqual(ids(all)))).toEqual(['hot list']);
  });

  test('2: the range is cut where a tier begins to be complete, and each slice goes to the first that can', async () => {
    const all = await spread();
    expect(planOf()).toEqual(['cold', 'warm', 'hot']);
    const steps = await tiers.stepsOf(async () => expect(await idsOf()).toEqual(ids(all)));
    // the cold tier stands at an earlier position: the leader says what left its list, and what changed in it
    expect(steps.filter((step) => step.endsWith(' list'))).toEqual(['cold list', 'warm list', 'hot list']);
    expect(steps.filter((step) => step.startsWith('warm ') && !step.endsWith(' list'))).toEqual([
      'warm movesAfter',
      'warm changedMessages',
    ]);
  });

  test('promise 4: 3: limit, offset and cursor count over the slices as over one list', async () => {
    const all = ids(await spread());
    for (const limit of [1, 5, 7, 17, 18, 30])
      for (const offset of [0, 4, 6, 11, 18]) {
        const page = await tiers.sink.queryMessages({ limit, offset });
        expect(ids(page.items)).toEqual(all.slice(offset, offset + limit));
        expect(page.nextCursor === null).toBe(offset + limit >= all.length);
        if (page.nextCursor === null) continue;
        const rest = await tiers.sink.queryMessages({ cursor: page.nextCursor });
        expect(ids(rest.items)).toEqual(all.slice(offset + limit));
      }
    // a full page asks no tier behind its last record, but for whether there is one
    expect(await tiers.stepsOf(() => idsOf({ limit: 3 }))).not.toContain('hot list');
  });

  test('promise 9: 4: a record that left the lists after the cold tier committed it is left out of its slice', async () => {
    const all = await spread();
    const [gone] = all;
    const { messageId } = gone!;
    await tiers.sink.insertBatch({ orphanings: [{ messageId, blockHash: gone!.origin!.blockHash }] });
    expect(planOf()[0]).toBe('cold');
    expect(await idsOf()).toEqual(ids(all.slice(1)));
    expect((await tiers.sink.countMessages({})).count).toBe(all.length - 1);
  });

  test('promise 3: 5: a part that its tier lacks by now is planned again, by itself', async () => {
    const all = await spread();
    const steps = await tiers.stepsOf(async () => {
      let more: Message[] = [];
      tiers.hot.before('list', async () => {
        if (more.length > 0) return;
        more = await store(9);
        await tiers.evict();
      });
      const listed = await tiers.sink.queryMessages({ limit: 100 });
      expect(ids(listed.items)).toEqual(ids([...all, ...more]));
    });
    // the slices before it are not read again
    expect(steps.filter((step) => step === 'cold list')).toHaveLength(1);
  });

  test('promise 3: 6: a tier that fails is asked once, and its part is a gap unless another covers it', async () => {
    const all = await spread();
    tiers.hot.fail(['list']);
    expect(await idsOf()).toEqual(ids(all));
    expect(tiers.hot.calls('list')).toBe(1);
    tiers.cold.fail(['list']);
    await expect(tiers.sink.queryMessages({})).rejects.toMatchObject({
      name: 'CoverageGapError',
      gap: { kind: 'time', startMs: 0 },
      cause: { name: 'StorageUnavailableError' },
    });
    expect(tiers.cold.calls('list')).toBe(2);
    tiers.cold.heal();
    tiers.hot.heal();
    expect(plain((await tiers.sink.queryMessages({})).items.length)).toBe(all.length);
  });
});
