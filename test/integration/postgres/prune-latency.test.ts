import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { metricOf } from '../../support/sink/sink-tiers.js';

const ROUND_TRIP_MS = 12;
const MESSAGES = 400;

let database: TestDatabase;
let far: Server;
beforeAll(async () => {
  database = await createTestDatabase();
  far = createServer((client) => {
    const server = connect(database.tcp.port, database.tcp.host);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.setNoDelay(true);
      // each piece of data arrives later, in its order
      from.on('data', (chunk: Buffer) => setTimeout(() => to.write(chunk), ROUND_TRIP_MS / 2));
      from.on('close', () => to.destroy()).on('error', () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => far.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await new Promise((resolve) => far.close(resolve));
  await database.drop();
});

it('a database that is far away is not pruned in ever smaller steps', async () => {
  const common = createCommon();
  const { port } = far.address() as { port: number };
  const storage = createPostgresStorage({
    name: 'warm',
    connection: { ...database.tcp, port },
    recall: async () => Promise.reject(new Error('nobody asks')),
    common,
  });
  const make = createRecordMaker(8);
  const messages = Array.from({ length: MESSAGES }, () => make.message({ origin: null }));
  await storage.insertBatch({ messages });
  await storage.insertBatch({
    statuses: messages.map(({ messageId }) => ({ messageId, status: 'success' as const })),
  });
  const upTo = { ingestionMs: Date.now() + 1_000, position: 1_000_000n };
  const pruned = await storage.prune(upTo);
  const steps = await metricOf(common, 'indexer_postgres_work_duration_seconds', {
    label: 'prune records',
    le: '+Inf',
  });
  await storage.close();
  expect(pruned).toMatchObject({ messages: MESSAGES });
  expect(steps).toBeGreaterThan(0);
  expect(steps).toBeLessThanOrEqual(MESSAGES / 40);
});
