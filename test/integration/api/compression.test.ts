import { once } from 'node:events';
import { connect } from 'node:net';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Storage } from '../../../src/storage/storage.js';
import { apiFixture } from '../../support/api/api-fixture.js';
import { createRecordMaker } from '../../support/records.js';

const maker = createRecordMaker(11);
const fixture = apiFixture(() => maker.results(40));
const { start } = fixture;

const DECODERS = { br: brotliDecompressSync, gzip: gunzipSync } as const;
const LIST = '/v1/verifierresults';

describe('a large answer', () => {
  it.each([
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'br'],
    ['br;q=0.5, gzip', 'gzip'],
    ['GZIP;Q=0.1', 'gzip'],
    ['*', 'br'],
    ['br;q=0, *;q=0.2', 'gzip'],
  ] as const)('to a client that accepts %s is compressed with %s', async (accepted, encoding) => {
    const api = await start();
    const plain = await api.get(LIST);
    expect(plain.headers['content-encoding']).toBeUndefined();
    const answer = await api.get(LIST, { 'accept-encoding': accepted });
    expect([answer.headers['content-encoding'], answer.headers['content-type']]).toEqual([
      encoding,
      'application/json',
    ]);
    expect([plain.headers['vary'], answer.headers['vary']]).toEqual(['Accept-Encoding', 'Accept-Encoding']);
    expect(answer.bytes.length).toBeLessThan(plain.bytes.length / 2);
    expect(DECODERS[encoding](answer.bytes).toString()).toBe(plain.text);
    const head = await api.get(LIST, { 'accept-encoding': accepted }, 'HEAD');
    expect([head.status, head.text, head.headers['content-encoding'], head.headers['vary']]).toEqual([
      200,
      '',
      encoding,
      'Accept-Encoding',
    ]);
  });

  it.each(['', 'identity', 'deflate, zstd', 'gzip;q=0, br;q=0', '*;q=0', 'gzip;q=x', 'x-gzip-not'])(
    'to a client that accepts %j is sent as it is',
    async (accepted) => {
      const api = await start();
      const answer = await api.get(LIST, { 'accept-encoding': accepted });
      expect([answer.status, answer.headers['content-encoding'], answer.headers['vary']]).toEqual([
        200,
        undefined,
        'Accept-Encoding',
      ]);
      expect(answer.text).toBe((await api.get(LIST)).text);
    },
  );

  it('is sent as it is to everyone where compression is off', async () => {
    const api = await start({ compressAboveBytes: 0 });
    const answer = await api.get(LIST, { 'accept-encoding': 'br, gzip' });
    expect([answer.headers['content-encoding'], answer.headers['vary']]).toEqual([undefined, undefined]);
  });

  it('names both headers that it depends on', async () => {
    const api = await start({ corsOrigins: ['https://app.example.org'] });
    expect((await api.get(LIST, { 'accept-encoding': 'br' })).headers['vary']).toBe('Origin, Accept-Encoding');
  });
});

it('sends a small answer as it is, whatever its client accepts', async () => {
  const api = await start();
  for (const path of [`${LIST}?limit=2`, '/health', '/nowhere', '/v1/messages?limit=x']) {
    const answer = await api.get(path, { 'accept-encoding': 'br, gzip' });
    expect([answer.headers['content-encoding'], answer.headers['vary']], path).toEqual([undefined, undefined]);
    expect(answer.text).toBe((await api.get(path)).text);
  }
});

describe('a compressed answer that is read in parts', () => {
  const PART = { answerPartBytes: 50_000 };
  const fill = (count: number) =>
    fixture.storage.insertBatch({
      messages: Array.from({ length: count }, () => maker.message({ dataBytes: 60_000 })),
    });

  it.each(['br', 'gzip'] as const)('has the bytes of one that is read at once: %s', async (encoding) => {
    await fill(40);
    const [whole, inParts] = [await start(), await start(PART)];
    const expected = (await whole.get('/v1/messages')).text;
    for (const api of [whole, inParts]) {
      const answer = await api.get('/v1/messages', { 'accept-encoding': encoding });
      expect(answer.headers['content-encoding']).toBe(encoding);
      expect(DECODERS[encoding](answer.bytes).toString() === expected).toBe(true);
    }
  });

  it('breaks off when it cannot be finished, never a shorter answer (promise 3)', async () => {
    await fill(40);
    let reads = 0;
    const getMessage: Storage['getMessage'] = (id) =>
      ++reads > 20 ? Promise.reject(new Error('gone')) : fixture.storage.getMessage(id);
    const api = await start(PART, { getMessage });
    await expect(api.get('/v1/messages', { 'accept-encoding': 'gzip' })).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await api.common.metrics.getSingleMetricAsString('indexer_http_answers_broken_total')).toContain('total 1');
  });

  it('is read no further than its client does, and holds no memory once that is gone', async () => {
    await fill(400);
    let reads = 0;
    const getMessage: Storage['getMessage'] = (id) => {
      reads += 1;
      return fixture.storage.getMessage(id);
    };
    const api = await start(PART, { getMessage });
    const socket = connect(api.port, '127.0.0.1');
    socket.write('GET /v1/messages?limit=1000 HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n');
    await once(socket, 'readable');
    socket.destroy();
    await expect
      .poll(() => api.common.metrics.getSingleMetricAsString('indexer_http_answers_under_way_bytes'))
      .toContain('bytes 0');
    // 24 million bytes, 12 compressed, do not fit into the buffers between two sockets
    expect(reads).toBeLessThan(300);
  });

  it('is sent as it is where memory is left for the answer alone, not for its compressor', async () => {
    await fill(40);
    const api = await start({ ...PART, maxAnswerBytes: 300_000 });
    const answer = await api.get('/v1/messages', { 'accept-encoding': 'br' });
    expect([answer.status, answer.headers['content-encoding']]).toEqual([200, undefined]);
  });
});

describe('the tag of an answer by id', () => {
  const pathOf = async (index: number) => `${LIST}/${(await fixture.storage.queryCCVData({})).items[index]!.messageId}`;

  it('is that of its bytes on every replica, and changes with them', async () => {
    const [one, other] = [await start(), await start({ fragmentCacheBytes: 0 })];
    const path = await pathOf(0);
    const first = await one.get(path);
    expect(first.headers['etag']).toMatch(/^"[\w-]{43}"$/);
    expect((await other.get(path)).headers['etag']).toBe(first.headers['etag']);
    expect((await one.get(await pathOf(1))).headers['etag']).not.toBe(first.headers['etag']);
    const message = maker.message({ ccvs: [maker.hex(20), maker.hex(20)] });
    await fixture.storage.insertBatch({ verifierResults: [maker.result(message)] });
    const tag = (await one.get(`${LIST}/${message.messageId}`)).headers['etag'];
    await fixture.storage.insertBatch({ verifierResults: [maker.result(message, 1)] });
    const changed = await one.get(`${LIST}/${message.messageId}`, { 'if-none-match': String(tag) });
    expect(changed.status).toBe(200);
    expect(changed.headers['etag']).not.toBe(tag);
  });

  it('spares the body to a client that has it', async () => {
    const api = await start({ corsOrigins: ['*'] });
    const path = await pathOf(0);
    const tag = String((await api.get(path)).headers['etag']);
    for (const method of ['GET', 'HEAD'])
      for (const named of [tag, `W/${tag}`, `"x", ${tag}`, `W/"x",W/${tag}`, '*']) {
        const answer = await api.get(path, { 'if-none-match': named }, method);
        expect([answer.status, answer.text, answer.headers['etag']], named).toEqual([304, '', tag]);
        expect(answer.headers['access-control-allow-origin']).toBe('*');
        expect(answer.headers['content-type']).toBeUndefined();
      }
    for (const named of ['"x"', 'W/"x"', tag.slice(1, -1), ''])
      expect((await api.get(path, { 'if-none-match': named })).status, named).toBe(200);
    const head = await api.get(path, {}, 'HEAD');
    expect([head.status, head.headers['etag']]).toEqual([200, tag]);
    expect((await api.get(`${LIST}/${maker.hex(32)}`, { 'if-none-match': '*' })).status).toBe(404);
  });

  it('is weak where the answer is compressed, and good for either form', async () => {
    const message = maker.message({ ccvs: [maker.hex(20)] });
    await fixture.storage.insertBatch({ verifierResults: [maker.result(message, 0, { ccvDataBytes: 50_000 })] });
    const path = `${LIST}/${message.messageId}`;
    const api = await start();
    const plain = await api.get(path);
    for (const encoding of ['br', 'gzip'] as const) {
      const answer = await api.get(path, { 'accept-encoding': encoding });
      expect(answer.headers['etag']).toBe(`W/${plain.headers['etag']}`);
      expect(DECODERS[encoding](answer.bytes).toString()).toBe(plain.text);
      const again = await api.get(path, {
        'accept-encoding': encoding,
        'if-none-match': String(plain.headers['etag']),
      });
      expect([again.status, again.headers['etag'], again.headers['vary'], again.headers['content-encoding']]).toEqual([
        304,
        `W/${plain.headers['etag']}`,
        'Accept-Encoding',
        undefined,
      ]);
    }
  });
});
