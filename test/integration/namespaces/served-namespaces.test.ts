import { afterAll, beforeAll, expect, it } from 'vitest';
import { createNamespace } from '../../../src/app/namespaces/create.js';
import { dropNamespace } from '../../../src/app/namespaces/drop.js';
import { ensureServed } from '../../../src/app/namespaces/serve.js';
import { type Service, startService } from '../../../src/app/service.js';
import { parseConfig } from '../../../src/config/load.js';
import type { Config } from '../../../src/config/schema/schema.js';
import { type Common, createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { createShutdown } from '../../../src/core/shutdown.js';
import type { NewMessage } from '../../../src/model/records.js';
import { createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { type Answer, ask as askOn } from '../../support/api/api.js';
import { get } from '../../support/e2e/http.js';
import { hotAndWarm } from '../../support/e2e/service.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { createTestDirectoryStore } from '../../support/s3/object-store.js';
import { createStoppedClock } from '../../support/stopped-clock.js';

const NAMES = ['s_own', 's_other'] as const;
type Name = (typeof NAMES)[number];

const common = createCommon();
const { signal } = new AbortController();

/** Two namespaces with the same message ids, and an API of the first that answers for both. */
interface World {
  readonly config: Config;
  readonly service: Service;
  readonly writers: Readonly<Record<Name, Storage>>;
  readonly ids: readonly Hex[];
  ask(path: string, headers?: Record<string, string>, method?: string): Promise<Answer>;
  close(): Promise<void>;
}

/**
 * The same messages in both namespaces, at the same times and positions: all that differs are the CCVs and the results.
 */
async function openWorld(config: Config, open: (name: Name, common: Common) => Storage): Promise<World> {
  for (const name of NAMES) await createNamespace(config, name, common, { dryRun: false, signal });
  const clock = createStoppedClock();
  const writers = { s_own: open('s_own', { ...common, clock }), s_other: open('s_other', { ...common, clock }) };
  const messages = Array.from({ length: 3 }, (_, index) => createRecordMaker(index).message());
  for (const [seed, name] of NAMES.entries()) await write(writers[name], messages, seed);
  const shutdown = createShutdown({ log: common.log });
  await ensureServed(config, common);
  const service = await startService({ config, role: 'api', common: createCommon(), shutdown });
  const { port } = new URL(service.apiUrl ?? '');
  return {
    ...{ config, service, writers, ids: messages.map(({ messageId }) => messageId) },
    ask: (path, headers = {}, method = 'GET') => askOn(Number(port), path, headers, method),
    async close() {
      await shutdown.close();
      for (const name of NAMES) await writers[name].close();
    },
  };
}

async function write(to: Storage, messages: readonly NewMessage[], seed: number): Promise<void> {
  const make = createRecordMaker(100 + seed);
  const own = messages.map((message) => ({ ...message, messageCCVAddresses: [make.hex(20)] }));
  await to.insertBatch({ messages: own, verifierResults: own.map((message) => make.result(message)) });
}

const LISTS = ['/v1/messages', '/v1/verifierresults'];

/** Asks every question of both namespaces, twice. */
async function checkAnswers({ ask, ids, writers }: World): Promise<void> {
  const ccvsOf = async (name: Name) =>
    await Promise.all(ids.map(async (id) => String((await writers[name].getMessage(id)).messageCCVAddresses[0])));
  const truth = { s_own: await ccvsOf('s_own'), s_other: await ccvsOf('s_other') };
  for (let round = 0; round < 2; round += 1)
    for (const path of [...LISTS, ...ids.map((id) => `/v1/verifierresults/${id}`)]) {
      const own = await ask(path);
      const other = await ask(`/ns/s_other${path}`);
      expect([own.status, other.status], path).toEqual([200, 200]);
      expect((await ask(`/ns/s_own${path}`)).text).toBe(own.text);
      const asked = LISTS.includes(path) ? ids : ids.filter((id) => path.endsWith(id));
      for (const id of asked) {
        expect(own.text).toContain(truth.s_own[ids.indexOf(id)]);
        expect(other.text).toContain(truth.s_other[ids.indexOf(id)]);
      }
      for (const ccv of truth.s_other) expect(own.text).not.toContain(ccv);
      for (const ccv of truth.s_own) expect(other.text).not.toContain(ccv);
    }
}

let database: TestDatabase;
let world: World;
const ask: World['ask'] = (...of) => world.ask(...of);

/** An API over hot and warm with these further namespaces. */
function configured(...namespaces: string[]): Config {
  const table = hotAndWarm({ namespace: 's_own', uri: database.uri });
  return parseConfig({ ...table, API: { ...(table['API'] as object), Namespaces: namespaces } }, 'test.toml');
}

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  const { connection } = database;
  world = await openWorld(configured('s_other'), (name, commonOf) =>
    createPostgresStorage({ name, namespace: name, connection, common: commonOf }),
  );
});
afterAll(async () => {
  await world.close();
  await database.drop();
});

it('each namespace answers with its own records of the same ids, also from what is cached', async () => {
  await checkAnswers(world);
});

it('each namespace answers with its own where a directory is the record of both', async () => {
  const { store, directory, remove } = await createTestDirectoryStore();
  const table = hotAndWarm({ namespace: 's_own', uri: database.uri });
  const Single = { Type: 's3', S3: { Directory: directory } };
  const config = parseConfig(
    {
      ...table,
      API: { ...(table['API'] as object), Namespaces: ['s_other'] },
      Storage: { Strategy: 'single', Single },
    },
    'test.toml',
  );
  const inDirectory = await openWorld(config, (name, commonOf) =>
    createColdStorage({ name, store, namespace: name, role: 'leader', common: commonOf }),
  );
  await checkAnswers(inDirectory);
  await inDirectory.close();
  await remove();
});

it('a tag of one namespace is none of the other', async () => {
  const path = `/v1/verifierresults/${world.ids[0]}`;
  const tag = (await ask(path)).headers['etag'];
  expect((await ask(path, { 'if-none-match': String(tag) })).status).toBe(304);
  expect((await ask(`/ns/s_other${path}`, { 'if-none-match': String(tag) })).status).toBe(200);
});

it('each namespace has every route, and others are not found', async () => {
  for (const path of ['/health', '/ready']) expect((await ask(`/ns/s_other${path}`)).status).toBe(200);
  const document = JSON.parse((await ask('/openapi.json')).text) as {
    servers: { variables?: { namespace: object } }[];
  };
  expect(document.servers[1]?.variables?.namespace).toEqual({ enum: ['s_own', 's_other'], default: 's_own' });
  expect(JSON.parse((await ask('/ns/s_other/openapi.json')).text)).toMatchObject({ servers: [{ url: '/ns/s_other' }] });
  const unknown = await ask('/v9/messages');
  for (const path of ['/ns/s_third/v1/messages', '/ns/s_third', '/ns//v1/messages', '/ns/s_other/ns/s_own/v1/messages'])
    expect(await ask(path), path).toMatchObject({ status: 404, text: expect.stringContaining('not found') });
  expect(unknown.status).toBe(404);
  expect((await ask('/ns/s_other/v1/messages', {}, 'POST')).status).toBe(405);
});

it('a write to one is seen there and nowhere else', async () => {
  const later = createRecordMaker(50).message();
  await write(world.writers.s_other, [later], 7);
  await eventually('the write is seen', async () =>
    (await ask('/ns/s_other/v1/messages')).text.includes(later.messageId),
  );
  expect((await ask('/v1/messages')).text).not.toContain(later.messageId);
  expect((await ask(`/v1/verifierresults/${later.messageId}`)).status).toBe(404);
});

it('metrics of a storage have the name of its namespace, each metric once; the status shows its tiers', async () => {
  const { text } = await get(`${world.service.adminUrl}/metrics`);
  expect(text).toMatch(/indexer_postgres_connections\{[^}]*storage="warm"[^}]*namespace="s_other"[^}]*\} /);
  const heads = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  expect(new Set(heads).size).toBe(heads.length);
  expect(heads.length).toBeGreaterThan(30);
  const status = JSON.parse((await get(`${world.service.adminUrl}/status`)).text) as { namespaces: object };
  expect(status.namespaces).toMatchObject({ s_other: { tiers: expect.anything() } });
});

it('a namespace that is not there refuses the start', async () => {
  await expect(ensureServed(configured('s_other', 's_third'), common)).rejects.toMatchObject({
    code: 'SCHEMA_NOT_CURRENT',
    message: expect.stringContaining("run 'ccv-indexer namespace create s_third'"),
  });
});

it('the end of one leaves the other as it was', async () => {
  const before = await ask('/v1/messages');
  const events = { waiting: () => 'a process', deleted: () => 'none' };
  await dropNamespace(world.config, { namespace: 's_other', force: true }, common, { signal, events });
  await eventually('the lost namespace says so', async () => (await ask('/ns/s_other/v1/messages')).status === 503);
  await eventually('it is not ready', async () => (await ask('/ns/s_other/ready')).status === 503);
  expect((await ask('/ready')).status).toBe(200);
  expect(await ask('/v1/messages')).toMatchObject({ status: 200, text: before.text });
});
