import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { TomlTable } from 'smol-toml';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createPostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { ask } from '../support/api/api.js';
import { endAllCli, startCli } from '../support/e2e/cli.js';
import { e2eDirectory, hotAndWarm, serviceOf, writeConfig } from '../support/e2e/service.js';
import { eventually } from '../support/eventually.js';
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

const LIST = '/v1/messages?limit=1000';
const ORIGIN = 'https://app.example.org';

/** Over Postgres alone. One answer is 13 million bytes. */
async function startSmall(name: string, heapMib: number, settings: TomlTable = {}) {
  const table = hotAndWarm({ namespace: 'ccv', uri: database.uri });
  const config = writeConfig(directory.path, `${name}.toml`, {
    ...table,
    API: { ListenAddress: '127.0.0.1', ListenPort: 0, ...settings },
    Storage: { Strategy: 'single', Single: { Type: 'postgres', Postgres: { URI: database.uri } } },
  });
  const cli = startCli(['api', '--config', config], { NODE_OPTIONS: `--max-old-space-size=${heapMib}` });
  const { apiUrl, adminUrl } = await serviceOf(cli);
  const [api, admin] = [apiUrl, adminUrl].map((url) => Number(new URL(url).port)) as [number, number];
  return { cli, api, admin };
}

it('eight greedy clients do not end an api that has less memory than their answers', async () => {
  // all eight are 104 million bytes; garbage of a busy machine is collected late
  const { cli, api } = await startSmall('greedy', 88);
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const { status, text } = await ask(api, LIST);
      return status === 200 ? text.split('"metadata":').length - 1 : status;
    }),
  );
  expect(cli.exit()).toBeNull();
  expect(outcomes.filter((outcome) => outcome !== 503).every((outcome) => outcome === MESSAGES)).toBe(true);
  expect(outcomes).toContain(MESSAGES);
  expect((await ask(api, '/ready')).status).toBe(200);
  expect(await cli.stop()).toEqual({ code: 0, signal: null });
});

it('of thirty that read nothing as many get a compressed answer as memory is set aside for, the others a 503', async () => {
  const { cli, api, admin } = await startSmall('compressed', 256, {
    // beside them, each of twenty connections to the database may hold a part
    MaxAnswerBytes: 40_000_000,
    ReadTimeout: 600_000,
    CORS: { Origins: [ORIGIN] },
  });
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, index) => begin(api, index % 2 === 0 ? 'br' : 'gzip')),
  );
  const [begun, refused] = [200, 503].map((status) => answers.filter(({ statusCode }) => statusCode === status));
  // two parts of 2 MiB, 100 outlines and a compressor each; without compressors nine would fit
  expect([begun?.length, refused?.length]).toEqual([8, 22]);
  for (const { headers } of answers) expect(headers['access-control-allow-origin']).toBe(ORIGIN);
  for (const { headers } of refused ?? []) expect(headers['retry-after']).toBe('1');
  const texts = await Promise.all(['br', 'gzip'].map((encoding) => read(begun!.find(isIn(encoding))!)));
  for (const answer of answers) answer.destroy();
  await eventually('nothing is held', async () =>
    /^indexer_http_answers_under_way_bytes 0$/m.test((await ask(admin, '/metrics')).text),
  );
  const { text } = await ask(api, LIST);
  expect(text.split('"metadata":')).toHaveLength(MESSAGES + 1);
  expect(texts.map((decoded) => decoded === text)).toEqual([true, true]);
  expect(await cli.stop()).toEqual({ code: 0, signal: null });
});

/** The answer when its first bytes are there; none of them are read. */
async function begin(port: number, encoding: string): Promise<IncomingMessage> {
  const headers = { 'accept-encoding': encoding, origin: ORIGIN };
  const [answer] = await once(get({ host: '127.0.0.1', port, path: LIST, headers, agent: false }), 'response');
  return answer;
}

const isIn = (encoding: string) => (answer: IncomingMessage) => answer.headers['content-encoding'] === encoding;

async function read(answer: IncomingMessage): Promise<string> {
  const bytes = await buffer(answer);
  return (isIn('br')(answer) ? brotliDecompressSync(bytes) : gunzipSync(bytes)).toString();
}

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
