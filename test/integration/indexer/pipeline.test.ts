import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { createIndexer, type Indexer } from '../../../src/indexer/indexer.js';
import { createScheduler, type SchedulerSettings } from '../../../src/indexer/scheduler.js';
import type { NewMessage } from '../../../src/protocol/records.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { createVerifierRegistry } from '../../../src/verifiers/registry.js';
import { createRestReader } from '../../../src/verifiers/rest-reader.js';
import { startVerifierServer, type VerifierServer } from '../../support/indexer/verifier-server.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

const make = createRecordMaker(23);
const A: Hex = `0x${'aa'.repeat(20)}`;
const B: Hex = `0x${'bb'.repeat(20)}`;

let database: TestDatabase;
let servers: readonly [VerifierServer, VerifierServer];
const closing: (() => Promise<void>)[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  servers = [await startVerifierServer(), await startVerifierServer()];
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  for (const server of servers) await server.close();
  await database.drop();
});

function open(): Storage {
  const storage = createPostgresStorage({ connection: database.connection });
  closing.push(() => storage.close());
  return storage;
}

/** A process: its own storage, readers and scheduler, over the shared database and verifiers. */
function start(settings: Partial<SchedulerSettings> = {}): {
  storage: Storage;
  indexer: Indexer<unknown>;
  close(): Promise<void>;
} {
  const common = createCommon();
  const storage = open();
  const readers = servers.map((server, index) =>
    createRestReader({
      name: `verifier-${index}`,
      issuerAddresses: [index === 0 ? A : B],
      baseUrl: server.baseUrl,
      requestTimeoutMs: 60_000,
      batchSize: 50,
      maxBatchWaitMs: 10,
      maxResponseBytes: 1_000_000,
      retries: 0,
      failuresToOpen: 3,
      openBackoff: { baseMs: 50, maxMs: 200 },
      common,
    }),
  );
  const registry = createVerifierRegistry(readers);
  const scheduler = createScheduler({
    storage,
    registry,
    tickerIntervalMs: 10,
    baseDelayMs: 20,
    maxDelayMs: 200,
    visibilityWindowMs: 3_600_000,
    maxHeapSize: 1_000,
    concurrentWorkers: 100,
    workerTimeoutMs: 60_000,
    hydrationBatchSize: 20,
    common,
    ...settings,
  });
  const indexer = createIndexer<unknown>({ chains: [], scheduler, registry, common });
  const end = indexer.run(new AbortController().signal);
  const close = async () => {
    await indexer.close();
    await end;
  };
  closing.push(close);
  return { storage, indexer, close };
}

/** Stores messages as a chain watcher does. */
async function found(storage: Storage, messages: readonly NewMessage[]): Promise<void> {
  await storage.insertBatch({ messages });
}

const messages = (count: number, ...ccvs: readonly Hex[]) =>
  Array.from({ length: count }, () => make.message({ ccvs }));

/** The verifiers know what they have to say about these messages. */
function attest(of: readonly NewMessage[]): void {
  for (const message of of)
    message.messageCCVAddresses.forEach((ccv, index) => {
      servers[ccv === A ? 0 : 1].add(make.result(message, index));
    });
}

async function unverified(storage: Storage): Promise<number> {
  return (await storage.queryUnfinishedMessages({ limit: 1_000 })).items.length;
}

describe('from the chain to Postgres', () => {
  it('every message found is verified by all its CCVs, whoever comes late', async () => {
    const { storage, indexer } = start();
    const early = messages(120, A, B);
    const late = messages(30, B);
    attest(early);
    await found(storage, early);
    await found(storage, late);
    await expect.poll(() => unverified(storage)).toBe(30);
    attest(late);
    await expect.poll(() => unverified(storage)).toBe(0);
    for (const { messageId } of early) expect(await storage.getCCVData(messageId)).toHaveLength(2);
    for (const { messageId } of late) expect(await storage.getCCVData(messageId)).toHaveLength(1);
    const { tasks, unknownCCVs } = indexer.status().scheduler;
    expect(tasks.waiting).toBe(0);
    expect(unknownCCVs.addresses).toEqual([]);
  });

  it('messages that another process stores are verified, and a restart goes on where the last one stopped', async () => {
    const other = open();
    const first = start();
    const before = messages(40, A);
    await found(other, before);
    await expect.poll(() => servers[0].requests.flat().length).toBeGreaterThanOrEqual(40);
    await first.close();
    const between = messages(40, A);
    await found(other, between);
    attest([...before, ...between]);
    expect(await unverified(other)).toBe(80);
    const second = start({ maxHeapSize: 30 });
    await expect.poll(() => unverified(second.storage)).toBe(0);
  });

  it('an outage of a verifier leaves its messages pending, and all of them are verified after it', async () => {
    const { storage, indexer } = start();
    const sent = messages(60, A, B);
    attest(sent);
    servers[1].misbehave((_ids, reply) => void reply.code(503).send(''));
    await found(storage, sent);
    await expect
      .poll(() => indexer.status().scheduler.verifiers.map(({ circuit }) => circuit))
      .toEqual(['closed', 'open']);
    expect(await unverified(storage)).toBe(60);
    servers[1].misbehave(null);
    await expect.poll(() => unverified(storage)).toBe(0);
  });
});
