import { expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { createLogger } from '../../../src/core/logger.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { createTestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { metricOf } from '../../support/sink/sink-tiers.js';

test('a store that a worker with a wrong clock wrote to is warned of and measured until the clocks catch up', async () => {
  const database = await createTestDatabase();
  const make = createRecordMaker(3);
  const at = (aheadMs: number) => {
    const { clock } = createCommon();
    const warned: unknown[] = [];
    let shiftMs = aheadMs;
    const log = createLogger({
      level: 'warn',
      format: 'json',
      destination: { write: (line: string) => void warned.push(JSON.parse(line)) },
    });
    const common = createCommon({ clock: { ...clock, nowMs: () => clock.nowMs() + shiftMs }, log });
    const storage = createPostgresStorage({ name: 'warm', connection: database.connection, common });
    const ahead = () => metricOf(common, 'indexer_storage_clock_ahead_seconds', { backend: 'warm' });
    return { storage, warned, ahead, shift: (toMs: number) => (shiftMs = toMs) };
  };
  const right = at(0);
  await right.storage.insertBatch({ messages: [make.message()] });
  expect([await right.ahead(), right.warned]).toEqual([0, []]);
  const wrong = at(3_600_000);
  await wrong.storage.insertBatch({ messages: [make.message()] });
  expect(wrong.warned).toEqual([]);
  for (let i = 0; i < 3; i += 1) await right.storage.insertBatch({ messages: [make.message()] });
  expect(await right.ahead()).toBeGreaterThan(3_500);
  expect(right.warned).toMatchObject([{ level: 'warn', backend: 'warm' }]);
  right.shift(3_600_000);
  await right.storage.queryMessages({});
  expect(await right.ahead()).toBe(0);
  for (const { storage } of [right, wrong]) await storage.close();
  await database.drop();
});
