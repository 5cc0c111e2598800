import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { askRaw, startApi } from '../../support/api/api.js';
import { apiFixture } from '../../support/api/api-fixture.js';
import { createRecordMaker } from '../../support/records.js';

const maker = createRecordMaker(3);
const fixture = apiFixture(() => maker.results(3));
const { start } = fixture;

describe('limits', () => {
  const errorOf = (status: number, message: string): string => JSON.stringify({ success: false, status, message });

  it('refuses a URL longer than the limit', async () => {
    const api = await start({ maxUrlBytes: 1_000 });
    const fits = await api.get(`/v1/messages?x=${'a'.repeat(980)}`);
    expect(fits.status).toBe(200);
    const answer = await api.get(`/v1/messages?x=${'a'.repeat(1_000)}`);
    expect([answer.status, answer.text]).toEqual([414, errorOf(414, 'URL longer than 1000 bytes')]);
  });

  it('refuses headers of too many bytes before reading the rest', async () => {
    const api = await start();
    const text = await askRaw(api.port, `GET /health HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(50_000)}\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 431 /);
    expect(text.endsWith(errorOf(431, 'request header fields too large'))).toBe(true);
  });

  it('refuses too many headers', async () => {
    const api = await start({ maxHeaders: 20 });
    const headers = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, '1']));
    expect((await api.get('/health', headers(18))).status).toBe(200);
    const answer = await api.get('/health', headers(40));
    expect([answer.status, answer.text]).toEqual([431, errorOf(431, 'too many headers')]);
  });

  it('refuses what is not HTTP', async () => {
    const api = await start();
    const text = await askRaw(api.port, 'hello\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text.endsWith(errorOf(400, 'bad request'))).toBe(true);
  });

  it('refuses a malformed URL', async () => {
    const api = await start();
    const answer = await api.get('/v1/verifierresults/%zz');
    expect([answer.status, answer.text]).toEqual([400, errorOf(400, 'malformed URL')]);
  });

  it('does not know other paths, and other methods on its own are not allowed', async () => {
    const api = await start();
    for (const path of ['/', '/v1', '/v1/', '/v3/messages', '/v1/messages/x', '/V1/messages', '/metrics']) {
      const answer = await api.get(path);
      expect([answer.status, answer.text]).toEqual([404, errorOf(404, 'not found')]);
      expect((await api.get(path, {}, 'POST')).status).toBe(404);
    }
    for (const path of ['/health', '/v1/messages?limit=1', '/v1/verifierresults/0x00', '/openapi.json'])
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
        const answer = await api.get(path, {}, method);
        expect([answer.status, answer.text]).toEqual([405, errorOf(405, 'method not allowed: use GET')]);
        expect(answer.headers['allow']).toBe('GET, HEAD');
      }
  });

  it('answers HEAD like GET without the body', async () => {
    const api = await start();
    for (const path of ['/v1/verifierresults', '/v1/messages', '/openapi.json', '/v1/verifierresults/0x00']) {
      const [get, head] = [await api.get(path), await api.get(path, {}, 'HEAD')];
      expect([head.status, head.text]).toEqual([get.status, '']);
      expect(head.headers['content-length']).toBe(get.headers['content-length']);
      expect(head.headers['content-type']).toBe('application/json');
    }
  });
});

describe('rate limiting', () => {
  const settings = { rateLimit: { enabled: true, requestsPerSecond: 3 } };

  it('answers 429 in the error body once a client asks too often, but never for health', async () => {
    const api = await start(settings);
    const answers = await Promise.all(Array.from({ length: 12 }, () => api.get('/v1/messages?limit=1')));
    const refused = answers.filter((answer) => answer.status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(answers.filter((answer) => answer.status === 200).length).toBeGreaterThanOrEqual(3);
    expect(refused[0]?.text).toBe('{"success":false,"status":429,"message":"too many requests: at most 3 a second"}');
    expect(refused[0]?.headers['retry-after']).toBe('1');
    for (let count = 0; count < 10; count += 1) {
      expect((await api.get('/health')).status).toBe(200);
      expect((await api.get('/ready')).status).toBe(200);
    }
  });

  it('does not believe X-Forwarded-For of just anyone', async () => {
    const api = await start(settings);
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        api.get('/v1/messages?limit=1', { 'x-forwarded-for': `192.0.2.${index}` }),
      ),
    );
    expect(answers.some((answer) => answer.status === 429)).toBe(true);
  });

  it('tells clients behind a trusted proxy apart, by the last address that is not a proxy', async () => {
    const api = await start({ ...settings, trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] });
    const ask12 = (forwarded: (index: number) => string) =>
      Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          api.get('/v1/messages?limit=1', { 'x-forwarded-for': forwarded(index) }),
        ),
      );
    const apart = await ask12((index) => `192.0.2.${index}, 10.0.0.1`);
    expect(apart.map((answer) => answer.status)).toEqual(Array(12).fill(200));
    const forged = await ask12((index) => `192.0.2.${100 + index}, 198.51.100.7`);
    expect(forged.some((answer) => answer.status === 429)).toBe(true);
  });

  it('is off unless it is asked for', async () => {
    const api = await start();
    const answers = await Promise.all(Array.from({ length: 60 }, () => api.get('/v1/messages?limit=1')));
    expect(answers.every((answer) => answer.status === 200)).toBe(true);
  });
});

it('gives every request an id, the client’s own if it is harmless', async () => {
  const api = await start();
  expect((await api.get('/health', { 'x-request-id': 'abc-1' })).headers['x-request-id']).toBe('abc-1');
  expect((await api.get('/nowhere', { 'x-request-id': 'abc-1' })).headers['x-request-id']).toBe('abc-1');
  expect((await api.get('/health', { 'x-request-id': 'a b' })).headers['x-request-id']).not.toBe('a b');
});

it('counts requests by route and never leaves one active, also when the client goes away', async () => {
  const { queryCCVData, asked, release } = fixture.heldQueries();
  const api = await start({}, { queryCCVData });
  await api.get('/v1/messages');
  await api.get('/v1/messages?limit=x');
  await api.get(`/v1/verifierresults/${maker.hex(32)}`);
  await api.get('/nowhere');
  const socket = connect(api.port, '127.0.0.1');
  socket.write('GET /v1/verifierresults HTTP/1.1\r\nhost: x\r\n\r\n');
  await asked;
  const metric = (name: string) => api.common.metrics.getSingleMetricAsString(name);
  expect(await metric('indexer_active_requests')).toContain('indexer_active_requests 1');
  socket.destroy();
  await once(socket, 'close');
  await expect.poll(() => metric('indexer_active_requests')).toContain('indexer_active_requests 0');
  release();
  const counts = (await metric('indexer_http_request_duration_seconds')).match(/_count\{.*/g);
  expect(counts?.sort()).toEqual([
    '_count{method="GET",path="/v1/messages",status="200"} 1',
    '_count{method="GET",path="/v1/messages",status="400"} 1',
    '_count{method="GET",path="/v1/verifierresults",status="aborted"} 1',
    '_count{method="GET",path="/v1/verifierresults/:messageID",status="404"} 1',
    '_count{method="GET",path="unknown",status="404"} 1',
  ]);
});

it('answers a path with a slash at its end as the one without, and counts it as the same route', async () => {
  const api = await start();
  const id = (await fixture.storage.queryCCVData({ limit: 1 })).items[0]!.messageId;
  for (const [path, query] of [
    ['/v1/messages', '?limit=2'],
    ['/v1/verifierresults', ''],
    [`/v1/verifierresults/${id}`, ''],
    ['/health', ''],
  ] as const) {
    const [plain, slashed] = [await api.get(path + query), await api.get(`${path}/${query}`)];
    expect([slashed.status, slashed.text]).toEqual([200, plain.text]);
    expect((await api.get(`${path}/${query}`, {}, 'POST')).status).toBe(405);
  }
  const metric = await api.common.metrics.getSingleMetricAsString('indexer_http_request_duration_seconds');
  expect([...new Set(metric.match(/path="[^"]*"/g))].sort()).toEqual([
    'path="/health"',
    'path="/v1/messages"',
    'path="/v1/verifierresults"',
    'path="/v1/verifierresults/:messageID"',
    'path="unknown"',
  ]);
});

it('says which port it could not have', async () => {
  const api = await start();
  await expect(startApi(fixture.storage, { port: api.port })).rejects.toMatchObject({
    code: 'LISTEN_FAILED',
    message: `query API cannot listen on 127.0.0.1:${api.port}`,
    cause: { code: 'EADDRINUSE' },
  });
});
