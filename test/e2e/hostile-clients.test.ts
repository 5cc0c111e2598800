import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { ask } from '../support/api/api.js';
import { endAllCli, startCli } from '../support/e2e/cli.js';
import { e2eDirectory, hotAndWarm, type RunningService, serviceOf, writeConfig } from '../support/e2e/service.js';
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
afterAll(async () => {
  await endAllCli();
  directory.remove();
  await database.drop();
});

const LIST = '/v1/messages?limit=1000';
const ORIGIN = 'https://app.example.org';

describe('an api that has less memory than the answers of its greedy clients', () => {
  let service: RunningService;
  let port: number;

  beforeAll(async () => {
    const table = hotAndWarm({ namespace: 'ccv', uri: database.uri });
    const config = writeConfig(directory.path, 'greedy.toml', {
      ...table,
      API: { ListenAddress: '127.0.0.1', ListenPort: 0, ReadTimeout: 600_000, CORS: { Origins: [ORIGIN] } },
      Storage: { Strategy: 'single', Single: { Type: 'postgres', Postgres: { URI: database.uri } } },
    });
    // one answer is 13 million bytes, all eight 104; garbage of a busy machine is collected late
    const cli = startCli(['api', '--config', config], { NODE_OPTIONS: '--max-old-space-size=88' });
    service = await serviceOf(cli);
    port = Number(new URL(service.apiUrl).port);
  });

  it('answers eight that ask at once', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const { status, text } = await ask(port, LIST);
        return status === 200 ? text.split('"metadata":').length - 1 : status;
      }),
    );
    expect(service.cli.exit()).toBeNull();
    expect(outcomes.filter((outcome) => outcome !== 503).every((outcome) => outcome === MESSAGES)).toBe(true);
    expect(outcomes).toContain(MESSAGES);
    expect((await ask(port, '/ready')).status).toBe(200);
  });

  it('compresses for forty that read nothing as many answers as memory is set aside for, and refuses the others', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => begin(index % 2 === 0 ? 'br' : 'gzip')));
    const [whole, refused] = [200, 503].map((status) => answers.filter(({ statusCode }) => statusCode === status));
    // two parts of 2 MiB, 100 outlines and a compressor each, of 128 MiB; without compressors 30 would fit
    expect([whole?.length, refused?.length]).toEqual([27, 13]);
    for (const { headers } of answers) expect(headers['access-control-allow-origin']).toBe(ORIGIN);
    for (const answer of refused ?? []) {
      expect(answer.headers['retry-after']).toBe('1');
      answer.destroy();
    }
    const expected = (await read(whole![0]!)).toString();
    expect(expected.split('"metadata":')).toHaveLength(MESSAGES + 1);
    const other = whole!.find(({ headers }) => headers['content-encoding'] !== whole![0]!.headers['content-encoding']);
    expect((await read(other!)).toString() === expected).toBe(true);
    for (const answer of whole!) answer.destroy();
    const admin = Number(new URL(service.adminUrl).port);
    await eventually('nothing is held', async () =>
      /^indexer_http_answers_under_way_bytes 0$/m.test((await ask(admin, '/metrics')).text),
    );
    expect((await ask(port, LIST)).text === expected).toBe(true);
    expect(await service.cli.stop()).toEqual({ code: 0, signal: null });
  });

  /** The answer when its first bytes are there; none of them are read. */
  async function begin(encoding: 'br' | 'gzip'): Promise<IncomingMessage> {
    const headers = { 'accept-encoding': encoding, origin: ORIGIN };
    const [answer] = await once(get({ host: '127.0.0.1', port, path: LIST, headers, agent: false }), 'response');
    return answer;
  }

  async function read(answer: IncomingMessage): Promise<Buffer> {
    const decode = { br: brotliDecompressSync, gzip: gunzipSync }[String(answer.headers['content-encoding'])];
    return decode!(await buffer(answer));
  }
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
