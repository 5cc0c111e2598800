import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ApiSettings } from '../../src/api/api-settings.js';
import { type Clock, systemClock } from '../../src/core/clock.js';
import type { Common } from '../../src/core/common.js';
import { IndexerError } from '../../src/core/errors.js';
import { createLogger } from '../../src/core/logger.js';
import { CoverageGapError, StorageUnavailableError } from '../../src/storage/errors.js';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../src/storage/storage.js';
import { ask, askRaw, gate, type RunningApi, startApi } from '../support/api.js';
import { createRecordMaker } from '../support/records.js';

const maker = createRecordMaker(3);

describe('the HTTP server of the query API', () => {
  let storage: Storage;
  const running: RunningApi[] = [];

  beforeEach(async () => {
    storage = createMemoryStorage({ name: 'hot' });
    await storage.insertBatch({ verifierResults: maker.results(3) });
  });

  afterEach(async () => {
    for (const api of running.splice(0)) await api.close();
    await storage.close();
  });

  async function start(
    settings: Partial<ApiSettings> = {},
    faults: Partial<Storage> = {},
    overrides: Partial<Common> = {},
  ): Promise<RunningApi> {
    const faulty = {
      getCCVData: faults.getCCVData ?? storage.getCCVData.bind(storage),
      queryCCVData: faults.queryCCVData ?? storage.queryCCVData.bind(storage),
      queryMessages: faults.queryMessages ?? storage.queryMessages.bind(storage),
      health: faults.health ?? storage.health.bind(storage),
    };
    const api = await startApi(faulty, settings, overrides);
    running.push(api);
    return api;
  }

  const failing = (error: unknown): Partial<Storage> => {
    const fail = () => Promise.reject(error);
    return { getCCVData: fail, queryCCVData: fail, queryMessages: fail, health: fail };
  };

  describe('when storage cannot answer', () => {
    const PATHS = [
      `/v1/verifierresults/0x${'11'.repeat(32)}`,
      '/v1/verifierresults',
      '/v1/messages',
      '/v1/messages?limit=0',
    ];

    it('says 503 and names what nobody can answer for, never 200 with less', async () => {
      const gap = { kind: 'time', startMs: 1_767_323_045_678, endMs: Number.POSITIVE_INFINITY } as const;
      const api = await start({}, failing(new CoverageGapError(gap, 'pg-main-1')));
      for (const path of PATHS) {
        const answer = await api.get(path);
        expect([answer.status, answer.json()]).toEqual([
          503,
          {
            success: false,
            status: 503,
            message: 'storage cannot answer now for ingestion times 2026-01-02T03:04:05.678Z to now',
          },
        ]);
        expect(answer.headers['retry-after']).toBe('1');
      }
    });

    it('says no word of what is behind it, and logs it with the request id', async () => {
      const cause = new Error('select * from results: connect ECONNREFUSED 10.9.8.7:5432');
      const lines: string[] = [];
      const log = createLogger({
        level: 'info',
        format: 'json',
        destination: { write: (line) => void lines.push(line) },
      });
      const failures = [
        new StorageUnavailableError('pg-main-1', 'query', { cause }),
        cause,
        new IndexerError('X', 'pg-main-1', false, { cause }),
      ];
      for (const failure of failures) {
        const api = await start({}, failing(failure), { log });
        for (const path of PATHS) {
          const answer = await api.get(path, { 'x-request-id': 'trace-7' });
          const expected =
            failure === failures[0]
              ? { success: false, status: 503, message: 'storage cannot answer now' }
              : { success: false, status: 500, message: 'internal error (request trace-7)' };
          expect(answer.json()).toEqual(expected);
          expect(answer.status).toBe(expected.status);
        }
      }
      expect(lines.filter((line) => line.includes('"requestId":"trace-7"') && line.includes('10.9.8.7'))).toHaveLength(
        12,
      );
    });

    it('is not ready: unhealthy, failing, or silent', async () => {
      const unready = '{"success":false,"status":503,"message":"storage cannot answer now"}';
      const unhealthy = await start({}, { health: async () => ({ healthy: false, reason: 'pg-main-1 refused' }) });
      expect((await unhealthy.get('/ready')).text).toBe(unready);
      expect((await unhealthy.get('/health')).status).toBe(200);
      const broken = await start({}, failing(new StorageUnavailableError('pg-main-1', 'ping')));
      expect((await broken.get('/ready')).text).toBe(unready);
      // a hundred times faster, so that the test need not wait for the limit
      const after: Clock['after'] = (durationMs, callback) => systemClock.after(durationMs / 100, callback);
      const silent = await start(
        {},
        { health: () => new Promise(() => undefined) },
        { clock: { ...systemClock, after } },
      );
      expect((await silent.get('/ready')).text).toBe(unready);
    });
  });

  describe('draining', () => {
    it('finishes what is under way, takes nothing new and closes idle connections', async () => {
      const [asked, held] = [gate(), gate()];
      const api = await start(
        {},
        {
          async queryMessages(query) {
            asked.open();
            await held.opened;
            return storage.queryMessages(query);
          },
        },
      );
      const idle = new Agent({ keepAlive: true });
      await new Promise((resolve) =>
        request({ port: api.port, path: '/health', agent: idle }, (answer) => answer.resume().on('end', resolve)).end(),
      );
      const slow = api.get('/v1/messages', { connection: 'keep-alive' });
      await asked.opened;
      let closed = false;
      const closing = api.close().then(() => {
        closed = true;
      });
      await expect(ask(api.port, '/health')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      expect(closed).toBe(false);
      held.open();
      expect((await slow).text).toBe('{"success":true,"messages":{}}');
      await closing;
      idle.destroy();
    });

    it('answers every request that a connection has sent before the drain, and then closes it', async () => {
      const [asked, held] = [gate(), gate()];
      const api = await start(
        {},
        {
          async queryMessages(query) {
            asked.open();
            await held.opened;
            return storage.queryMessages(query);
          },
        },
      );
      const head = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
      const answers = askRaw(api.port, head('/v1/messages') + head('/v1/verifierresults?limit=0'));
      await asked.opened;
      const closing = api.close();
      held.open();
      const text = await answers;
      expect(text).toContain('{"success":true,"messages":{}}');
      expect(text).toContain('{"success":true,"verifierResults":{}}');
      await closing;
    });

    it('lets a client that reads slowly have its whole answer', async () => {
      const big = maker.message({ dataBytes: 60_000 });
      for (let ccv = 0; ccv < 30; ccv += 1)
        await storage.insertBatch({ verifierResults: [maker.result(big, ccv, { ccvDataBytes: 60_000 })] });
      const api = await start();
      const socket = connect(api.port, '127.0.0.1');
      socket.write(`GET /v1/verifierresults/${big.messageId} HTTP/1.1\r\nhost: x\r\n\r\n`);
      // the first bytes are here, the rest waits for us to read
      await once(socket, 'readable');
      const closing = api.close();
      const received = await buffer(socket);
      const text = received.toString('latin1');
      const [head = ''] = text.split('\r\n\r\n', 1);
      const length = Number(/content-length: (\d+)/.exec(head)?.[1]);
      expect(length).toBeGreaterThan(7_000_000);
      expect(received.length - head.length - 4).toBe(length);
      await closing;
    });

    it('cuts what does not finish within the limit', async () => {
      const asked = gate();
      const api = await start(
        { drainLimitMs: 50 },
        {
          queryMessages() {
            asked.open();
            return new Promise(() => undefined);
          },
        },
      );
      const stuck = expect(api.get('/v1/messages')).rejects.toMatchObject({ code: 'ECONNRESET' });
      await asked.opened;
      await api.close();
      await stuck;
    });

    it('can be asked for twice, and before listening', async () => {
      const api = await start();
      await Promise.all([api.close(), api.close()]);
    });
  });

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
      const text = await askRaw(api.port, `GET /health HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(20_000)}\r\n\r\n`);
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
      for (const path of ['/', '/v1', '/v1/', '/v2/messages', '/v1/messages/x', '/V1/messages', '/metrics']) {
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

  it('never mixes the bodies of its clients, also when some of them go away', async () => {
    for (let batch = 0; batch < 4; batch += 1)
      await storage.insertBatch({ verifierResults: maker.results(20, { ccvDataBytes: 100_000 }) });
    const api = await start();
    const pages = Array.from({ length: 4 }, (_, index) => `/v1/verifierresults?limit=20&offset=${index * 20}`);
    const expected: string[] = [];
    for (const page of pages) expected.push((await api.get(page)).text);
    expect(new Set(expected).size).toBe(pages.length);
    expect(expected[0]?.length).toBeGreaterThan(3_000_000);
    for (let round = 0; round < 4; round += 1) {
      const leavers = pages.map(async (page) => {
        const socket = connect(api.port, '127.0.0.1');
        socket.write(`GET ${page} HTTP/1.1\r\nhost: x\r\n\r\n`);
        await once(socket, 'readable');
        socket.destroy();
      });
      const texts = await Promise.all([...pages, ...pages].map(async (page) => (await api.get(page)).text));
      texts.forEach((text, index) => {
        expect(text === expected[index % pages.length], `round ${round}, page ${index}`).toBe(true);
      });
      await Promise.all(leavers);
    }
  });

  describe('an answer of many megabytes', () => {
    it('arrives whole', async () => {
      const big = maker.message();
      for (let ccv = 0; ccv < 12; ccv += 1)
        await storage.insertBatch({ verifierResults: [maker.result(big, ccv, { ccvDataBytes: 1024 * 1024 })] });
      const api = await start();
      const answer = await api.get(`/v1/verifierresults/${big.messageId}`);
      expect(answer.headers['transfer-encoding']).toBe('chunked');
      expect((answer.json() as { results: unknown[] }).results).toHaveLength(12);
      const head = await api.get(`/v1/verifierresults/${big.messageId}`, {}, 'HEAD');
      expect([head.status, head.text]).toEqual([200, '']);
    });

    it('breaks off when it cannot be finished, rather than end early', async () => {
      const big = maker.message();
      for (let ccv = 0; ccv < 6; ccv += 1)
        await storage.insertBatch({ verifierResults: [maker.result(big, ccv, { ccvDataBytes: 1024 * 1024 })] });
      const [first, ...others] = await storage.getCCVData(big.messageId);
      const corrupt = { ...first!, position: 999_999n, encodedMessage: Uint8Array.of(1, 2, 3) };
      const api = await start({}, { getCCVData: async () => [first!, ...others, corrupt] });
      await expect(api.get(`/v1/verifierresults/${big.messageId}`)).rejects.toMatchObject({ code: 'ECONNRESET' });
    });

    it('is an error as long as nothing has been sent', async () => {
      const corrupt = {
        ...(await storage.queryCCVData({ limit: 1 })).items[0]!,
        position: 999_999n,
        encodedMessage: Uint8Array.of(1),
      };
      const api = await start({}, { getCCVData: async () => [corrupt] });
      expect((await api.get('/v1/verifierresults/00')).status).toBe(500);
    });
  });

  it('gives every request an id, the client’s own if it is harmless', async () => {
    const api = await start();
    expect((await api.get('/health', { 'x-request-id': 'abc-1' })).headers['x-request-id']).toBe('abc-1');
    expect((await api.get('/nowhere', { 'x-request-id': 'abc-1' })).headers['x-request-id']).toBe('abc-1');
    expect((await api.get('/health', { 'x-request-id': 'a b' })).headers['x-request-id']).not.toBe('a b');
  });

  it('lets browsers of one origin in when told so', async () => {
    const closed = await start();
    expect((await closed.get('/v1/messages')).headers['access-control-allow-origin']).toBeUndefined();
    const open = await start({ corsAllowOrigin: '*' });
    for (const path of ['/v1/messages', '/v1/messages?limit=x', '/nowhere'])
      expect((await open.get(path)).headers['access-control-allow-origin']).toBe('*');
  });

  it('counts requests by route and never leaves one active, also when the client goes away', async () => {
    const [asked, held] = [gate(), gate()];
    const api = await start(
      {},
      {
        async queryCCVData(query) {
          asked.open();
          await held.opened;
          return storage.queryCCVData(query);
        },
      },
    );
    await api.get('/v1/messages');
    await api.get('/v1/messages?limit=x');
    await api.get(`/v1/verifierresults/${maker.hex(32)}`);
    await api.get('/nowhere');
    const socket = connect(api.port, '127.0.0.1');
    socket.write('GET /v1/verifierresults HTTP/1.1\r\nhost: x\r\n\r\n');
    await asked.opened;
    const metric = (name: string) => api.common.metrics.getSingleMetricAsString(name);
    expect(await metric('indexer_active_requests')).toContain('indexer_active_requests 1');
    socket.destroy();
    await once(socket, 'close');
    await expect.poll(() => metric('indexer_active_requests')).toContain('indexer_active_requests 0');
    held.open();
    const counts = (await metric('indexer_http_request_duration_seconds')).match(/_count\{.*/g);
    expect(counts?.sort()).toEqual([
      '_count{method="GET",route="/v1/messages",status="200"} 1',
      '_count{method="GET",route="/v1/messages",status="400"} 1',
      '_count{method="GET",route="/v1/verifierresults",status="aborted"} 1',
      '_count{method="GET",route="/v1/verifierresults/:messageID",status="404"} 1',
      '_count{method="GET",route="unknown",status="404"} 1',
    ]);
  });

  it('says which port it could not have', async () => {
    const api = await start();
    await expect(startApi(storage, { port: api.port })).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: `query API cannot listen on 127.0.0.1:${api.port}`,
      cause: { code: 'EADDRINUSE' },
    });
  });
});
