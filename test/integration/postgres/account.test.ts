import { afterEach, beforeEach, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

let database: TestDatabase;
let storage: PostgresStorage | null = null;
let role: string;
beforeEach(async () => {
  database = await createTestDatabase();
  role = `account_${database.name}`;
});
afterEach(async () => {
  await storage?.close();
  await database.sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  await database.drop();
});

/** Opens the storage as an account with these rights on tables, as `config/deploy/SECURITY.md` has them. */
async function openWith(rights: string, use: 'write' | 'read'): Promise<PostgresStorage> {
  await database.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'x' NOSUPERUSER;
    GRANT USAGE ON SCHEMA ccv TO ${role}; GRANT ${rights} ON ALL TABLES IN SCHEMA ccv TO ${role}`);
  storage = createPostgresStorage({
    ...{ name: 'warm', namespace: 'ccv', common: createCommon(), use },
    connection: { ...database.tcp, user: role, password: 'x' },
    recall: async () => await Promise.reject(new Error('nothing is asked again here')),
  });
  return storage;
}

it('a worker needs to read and write rows, and nothing else', async () => {
  const warm = await openWith('SELECT, INSERT, UPDATE, DELETE', 'write');
  const make = createRecordMaker(3);
  const messages = [make.message({}), make.message({})];
  const results = messages.map((message) => make.result(message));
  await warm.insertBatch({
    messages,
    verifierResults: results,
    cursors: [{ sourceId: 'chain:1', height: 5n, hash: null, expectedHeight: null }],
  });
  await warm.insertBatch({
    orphanings: [{ messageId: messages[1]!.messageId, blockHash: messages[1]!.origin!.blockHash }],
  });
  await warm.insertBatch({ statuses: messages.map(({ messageId }) => ({ messageId, status: 'success' })) });
  const { headPosition: position, headMs: ingestionMs } = await warm.changesAfter(0n);
  await warm.leases.beat({ member: 'me', sources: ['chain:1'], verifiers: [] }, 10_000, []);
  expect(await warm.leases.take('me', ['chain:1'])).toHaveLength(1);
  expect(await warm.prune({ position, ingestionMs })).toMatchObject({ messages: 2 });
});

it('an api process needs to read rows, and nothing else', async () => {
  const make = createRecordMaker(4);
  const writer = createPostgresStorage({
    ...{ name: 'writer', namespace: 'ccv', common: createCommon(), connection: database.connection },
  });
  await writer.insertBatch({ messages: [make.message({})] });
  await writer.close();
  const warm = await openWith('SELECT', 'read');
  expect((await warm.queryMessages({})).items).toHaveLength(1);
  expect((await warm.changesAfter(0n)).changes).toHaveLength(1);
  expect((await warm.health()).healthy).toBe(true);
  await expect(warm.insertBatch({ messages: [make.message({})] })).rejects.toThrow();
});
