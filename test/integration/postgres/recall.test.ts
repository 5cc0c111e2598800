import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import { messagePayloadHash } from '../../../src/model/payload.js';
import type { Recalled } from '../../../src/model/recall.js';
import type { NewMessage } from '../../../src/model/records.js';
import type { PrunableRecord } from '../../../src/storage/backend-storage.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { gate } from '../../support/api/api.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

const make = createRecordMaker(5);
let database: TestDatabase;
let storage: PrunableRecord;
/** What the colder tier knows, once it says something. */
const held = new Map<Hex, Recalled>();
let asked: Hex[];
let answers: ReturnType<typeof gate>;

beforeEach(async () => {
  database = await createTestDatabase();
  asked = [];
  answers = gate();
  const created = createPostgresStorage({
    name: 'warm',
    connection: database.connection,
    recall: async (messageId) => {
      asked.push(messageId);
      await answers.opened;
      return held.get(messageId)!;
    },
  });
  storage = created;
});
afterEach(async () => {
  answers.open();
  await storage.close();
  await database.drop();
});

/** A message that is verified, known to the colder tier, and no longer here. */
async function prunedMessage(): Promise<NewMessage> {
  const message = make.message({ origin: null });
  const { messageId } = message;
  await storage.insertBatch({ messages: [message] });
  await storage.insertBatch({ statuses: [{ messageId, status: 'success' }] });
  const throughPosition = 100n;
  const results = { value: [], afterPosition: 0n, throughPosition };
  held.set(messageId, { message: { ...(await storage.heldMessage(messageId)), throughPosition }, results });
  const outcome = await storage.prune({ ingestionMs: Date.now() + 1_000, position: 1_000_000n });
  expect(outcome.floor.position).toBeGreaterThan(0n);
  return message;
}

it('a change of a pruned record waits for the colder tier, and nobody else does', async () => {
  const pruned = await prunedMessage();
  const conflict = storage.insertBatch({ messages: [{ ...pruned, messageExecutorAddress: make.hex(20) }] });
  while (asked.length === 0) await storage.insertBatch({ messages: [make.message()] });
  for (let each = 0; each < 3; each += 1)
    expect((await storage.insertBatch({ messages: [make.message()] })).messages).toEqual(['inserted']);
  answers.open();
  expect((await conflict).messages).toEqual(['conflict']);
  expect(asked).toEqual([pruned.messageId]);
  expect(await storage.queryConflicts({ afterPosition: 0n, limit: 10 })).toHaveLength(1);
});

it('a batch that changes and contradicts many pruned records recalls them all at once', async () => {
  answers.open();
  const changed = await prunedMessage();
  const contradicted: NewMessage[] = [];
  while (contradicted.length < 5) contradicted.push(await prunedMessage());
  const stored = make.message();
  await storage.insertBatch({ messages: [stored] });
  const liars = [...contradicted, stored].map((message) => ({ ...message, messageExecutorAddress: make.hex(20) }));
  const outcome = await storage.insertBatch({ messages: [...liars, { ...changed, origin: make.origin(7n) }] });
  expect(outcome.messages).toEqual([...liars.map(() => 'conflict'), 'updated']);
  expect(outcome.conflicts.map(({ storedHash }) => storedHash)).toEqual(
    [...contradicted, stored].map((message) => messagePayloadHash(message)),
  );
  expect(asked.sort()).toEqual([changed, ...contradicted].map(({ messageId }) => messageId).sort());
});

it('what waits for the colder tier is stored before the storage is closed', async () => {
  const pruned = await prunedMessage();
  const conflict = storage.insertBatch({ messages: [{ ...pruned, messageExecutorAddress: make.hex(20) }] });
  while (asked.length === 0) await storage.insertBatch({ messages: [make.message()] });
  const closed = storage.close();
  answers.open();
  expect((await conflict).messages).toEqual(['conflict']);
  await closed;
});
