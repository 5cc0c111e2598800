import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker, type RecordMaker } from '../../support/records.js';
import { openTracedTiers, type TracedTiers } from '../../support/sink/traced-tiers.js';

/** Tier by tier in configured order, until one declares itself complete for the id. */
describe('the way of a lookup by message id', () => {
  let database: TestDatabase;
  let tiers: TracedTiers;
  let make: RecordMaker;
  beforeEach(async () => {
    database = await createTestDatabase();
    tiers = await openTracedTiers(database, 4);
    make = createRecordMaker(61);
  });
  afterEach(async () => {
    await tiers.sink.close();
    await database.drop();
  });

  async function store(results = make.results(1)) {
    for (const result of results) await tiers.sink.insertBatch({ verifierResults: [result] });
    return results;
  }
  const lookUp = (messageId: `0x${string}`) => tiers.stepsOf(() => tiers.sink.getCCVData(messageId));

  test('1: memory answers alone for an id all of whose records it has held', async () => {
    const [result] = await store();
    expect(await lookUp(result!.messageId)).toEqual(['hot getCCVData']);
  });

  test('2: memory has evicted, says that it is not complete, and Postgres answers', async () => {
    const [result] = await store(make.results(12));
    await tiers.evict();
    expect(await lookUp(result!.messageId)).toEqual(['hot getCCVData', 'warm getCCVData']);
  });

  test('3: Postgres is pruned, and what it and the cold tier hold is put together', async () => {
    const [result] = await store(make.results(12));
    await tiers.evict();
    await tiers.flush();
    await tiers.prune();
    // the cold tier has heard of this one and not committed it: Postgres alone tells
    const later = { ...result!, verifierSourceAddress: make.hex(20) };
    await store([later, ...make.results(12)]);
    await tiers.evict();
    const steps = await lookUp(result!.messageId);
    expect(steps.slice(0, 2)).toEqual(['hot getCCVData', 'warm getCCVData']);
    expect(steps.slice(2).sort()).toEqual(['cold heldCCVData', 'warm heldCCVData']);
    const addresses = (await tiers.sink.getCCVData(result!.messageId)).map((each) => each.verifierSourceAddress);
    expect(addresses).toEqual([result!.verifierSourceAddress, later.verifierSourceAddress].sort());
  });

  test('promise 3: 4: no tier holds the id; Postgres says so, which keeps a trace of all that was pruned', async () => {
    await store(make.results(12));
    await tiers.evict();
    await tiers.flush();
    await tiers.prune();
    const unknown = make.message().messageId;
    const steps = await tiers.stepsOf(async () => {
      await expect(tiers.sink.getCCVData(unknown)).rejects.toMatchObject({ name: 'CCVDataNotFoundError' });
    });
    expect(steps).toEqual(['hot getCCVData', 'warm getCCVData']);
  });

  test('promise 3: 5: the cold tier fails, is asked once, and the id is a gap that names the failure', async () => {
    const [result] = await store(make.results(12));
    await tiers.evict();
    await tiers.flush();
    await tiers.prune();
    tiers.cold.fail();
    await expect(tiers.sink.getCCVData(result!.messageId)).rejects.toMatchObject({
      name: 'CoverageGapError',
      gap: { kind: 'messageId', messageId: result!.messageId },
      cause: { name: 'StorageUnavailableError' },
    });
    expect(tiers.cold.calls('heldCCVData')).toBe(1);
    tiers.cold.heal();
    expect(await tiers.sink.getCCVData(result!.messageId)).toHaveLength(1);
  });
});
