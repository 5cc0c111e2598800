import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { everything } from '../../contract/subject.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

let databases: TestDatabase[] = [];
beforeEach(async () => {
  databases = await Promise.all([createTestDatabase(), createTestDatabase()]);
});
afterEach(async () => {
  for (const database of databases) await database.drop();
});

test('changes that are large come in sets of about 32 MB, which join up to the whole', async () => {
  const [leader, follower] = databases.map(({ connection }) => createPostgresStorage({ connection }));
  const make = createRecordMaker(9);
  const sizeBytes = 1 << 20;
  for (let i = 0; i < 40; i += 1)
    await leader!.insertBatch({
      messages: [make.message()],
      quarantine: [
        {
          sourceId: 's',
          key: `${i}`,
          reason: 'r',
          detail: '',
          raw: new Uint8Array(sizeBytes).fill(i),
          messageId: null,
        },
      ],
    });
  const lengths: number[] = [];
  for (let position = 0n; position < 80n; ) {
    const set = await leader!.changesAfter(position, 1_000);
    expect(set).toMatchObject({ afterPosition: position, headPosition: 80n });
    expect(set.throughPosition).toBeGreaterThan(position);
    lengths.push(set.changes.length);
    await follower!.apply(set);
    position = set.throughPosition;
  }
  expect(lengths).toHaveLength(2);
  expect(lengths[0]).toBeLessThanOrEqual(66);
  expect((await leader!.changesAfter(0n, 7)).changes).toHaveLength(7);
  expect(await everything(follower!)).toEqual(await everything(leader!));
  await leader!.close();
  await follower!.close();
});
