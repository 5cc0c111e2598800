import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createPostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { ask } from '../support/api/api.js';
import { endAllCli, startCli } from '../support/e2e/cli.js';
import { e2eDirectory, hotAndWarm, serviceOf, writeConfig } from '../support/e2e/service.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';
import { createRecordMaker } from '../support/records.js';

const directory = e2eDirectory();
const MESSAGES = 100;
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  const storage = createPostgresStorage({ connection: { connectionString: database.uri } });
  const make = createRecordMaker(31);
  for (let count = 0; count < MESSAGES; count += 20)
    await storage.insertBatch({ messages: Array.from({ length: 20 }, () => make.message({ dataBytes: 65_000 })) });
  await storage.close();
});
afterEach(endAllCli);
afterAll(async () => {
  directory.remove();
  await database.drop();
});

function configOf(name: string, Storage: object): string {
  const table = hotAndWarm({ namespace: 'ccv', uri: database.uri });
  return writeConfig(directory.path, `${name}.toml`, { ...table, Storage } as typeof table);
}

it('eight greedy clients do not end an api that has less memory than their answers', async () => {
  const config = configOf('greedy', {
    Strategy: 'single',
    Single: { Type: 'postgres', Postgres: { URI: database.uri } },
  });
  // one answer is 13 million bytes, all eight 104; garbage of a busy machine is collected late
  const { cli, apiUrl } = await serviceOf(
    startCli(['api', '--config', config], { NODE_OPTIONS: '--max-old-space-size=88' }),
  );
  const port = Number(new URL(apiUrl).port);
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const { status, text } = await ask(port, '/v1/messages?limit=1000');
      return status === 200 ? text.split('"metadata":').length - 1 : status;
    }),
  );
  expect(cli.exit()).toBeNull();
  expect(outcomes.filter((outcome) => outcome !== 503).every((outcome) => outcome === MESSAGES)).toBe(true);
  expect(outcomes).toContain(MESSAGES);
  expect((await ask(port, '/ready')).status).toBe(200);
  expect(await cli.stop()).toEqual({ code: 0, signal: null });
});

it('four hundred idle connections leave everything working where 300 files may be open', async () => {
  const table = hotAndWarm({ namespace: 'ccv', uri: database.uri });
  const config = writeConfig(directory.path, 'idle.toml', table);
  const { cli, apiUrl, adminUrl } = await serviceOf(startCli(['api', '--config', config], {}, 300));
  const [api, admin] = [apiUrl, adminUrl].map((url) => Number(new URL(url).port)) as [number, number];
  const sockets: Socket[] = [];
  for (const port of [api, admin])
    for (let count = 0; count < 400; count += 1) {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      sockets.push(socket);
      await once(socket, 'connect');
    }
  for (let round = 0; round < 5; round += 1) {
    const ready = ask(api, '/ready');
    const [page, status] = await Promise.all([ask(api, '/v1/messages?limit=2&offset=99'), ask(admin, '/status')]);
    expect([(await ready).status, page.status, status.status]).toEqual([200, 200, 200]);
    expect(page.text.split('"metadata":')).toHaveLength(2);
  }
  const metrics = (await ask(admin, '/metrics')).text;
  expect(metrics).toMatch(/^indexer_http_connections_closed_total\{server="api",reason="replaced"\} \d+$/m);
  expect(Number(/^indexer_http_connections\{server="api"\} (\d+)$/m.exec(metrics)?.[1])).toBeLessThanOrEqual(120);
  for (const socket of sockets) socket.destroy();
  expect(await cli.stop()).toEqual({ code: 0, signal: null });
});
