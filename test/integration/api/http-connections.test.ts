import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { askRaw, gate, type RunningApi } from '../../support/api/api.js';
import { apiFixture } from '../../support/api/api-fixture.js';
import { eventually } from '../../support/eventually.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createRecordMaker } from '../../support/records.js';

const maker = createRecordMaker(6);
const fixture = apiFixture(() => []);
const { start } = fixture;
const sockets = new Set<Socket>();

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
});

/** A connection that has said nothing yet, accepted by the server. */
async function open(api: RunningApi): Promise<Socket> {
  const before = await connections(api);
  const socket = connect(api.port, '127.0.0.1');
  socket.on('error', () => undefined);
  sockets.add(socket);
  await once(socket, 'connect');
  await eventually('the server has accepted', async () => socket.destroyed || (await connections(api)) !== before);
  return socket;
}

async function connections(api: RunningApi): Promise<number> {
  return await metricOf(api, 'indexer_http_connections', { server: 'api' });
}

async function closed(api: RunningApi, reason: string): Promise<number> {
  return await metricOf(api, 'indexer_http_connections_closed_total', { server: 'api', reason });
}

async function metricOf({ common }: RunningApi, name: string, labels: Record<string, string>): Promise<number> {
  const { values } = await common.metrics.getSingleMetric(name)!.get();
  const found = values.find((value) => Object.entries(labels).every(([key, text]) => value.labels[key] === text));
  return found?.value ?? 0;
}

describe('a connection on which no byte comes', () => {
  it('is closed after its time, and one that asks is not', async () => {
    const clock = createManualClock();
    const api = await start({ firstByteTimeoutMs: 10_000 }, {}, { clock });
    const silent = await open(api);
    const asking = await open(api);
    asking.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(asking, 'readable');
    await clock.advance(7_500);
    expect(silent.destroyed).toBe(false);
    const gone = once(silent, 'close');
    await clock.advance(5_000);
    silent.resume();
    await gone;
    expect(asking.destroyed).toBe(false);
    expect(await closed(api, 'no_first_byte')).toBe(1);
    expect(await connections(api)).toBe(1);
  });

  it('or not a whole request, ends with 408 also when the client never closes its side', async () => {
    const api = await start({ requestTimeoutMs: 100 });
    const socket = connect({ port: api.port, host: '127.0.0.1', allowHalfOpen: true });
    sockets.add(socket);
    socket.write('GET /health HTTP/1.1\r\n');
    let text = '';
    socket.on('data', (chunk) => {
      text += String(chunk);
    });
    await once(socket, 'end');
    expect(text).toMatch(/^HTTP\/1\.1 408 .*\{"success":false,"status":408,"message":"request timeout"\}$/s);
    await eventually('the server has closed', async () => (await connections(api)) === 0);
    expect(await closed(api, 'late_request')).toBe(1);
  });
});

it('a client that does not read is cut after its time, and its memory is free again', async () => {
  const messages = Array.from({ length: 300 }, () => maker.message({ dataBytes: 60_000 }));
  await fixture.storage.insertBatch({ messages });
  const clock = createManualClock();
  const api = await start({ readTimeoutMs: 20_000 }, {}, { clock });
  const socket = await open(api);
  socket.write('GET /v1/messages?limit=1000 HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'readable');
  const held = () => metricOf(api, 'indexer_http_answers_under_way_bytes', {});
  expect(await held()).toBeGreaterThan(1_000_000);
  await eventually('the server has cut it', async () => {
    await clock.advance(5_000);
    return (await closed(api, 'not_reading')) === 1 && (await held()) === 0;
  });
  expect((await api.get('/v1/messages?limit=1')).status).toBe(200);
});

it('a client that reads slowly is no such client: it gets the whole of a large answer', async () => {
  const messages = Array.from({ length: 60 }, () => maker.message({ dataBytes: 60_000 }));
  await fixture.storage.insertBatch({ messages });
  const clock = createManualClock();
  const api = await start({ readTimeoutMs: 20_000, answerPartBytes: 8 * 1024 * 1024 }, {}, { clock });
  const whole = (await api.get('/v1/messages?limit=1000')).text.length;
  const socket = connect(api.port, '127.0.0.1');
  sockets.add(socket);
  socket.write('GET /v1/messages?limit=1000 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  let read = 0;
  for await (const chunk of socket) {
    const steps = Math.floor((read + chunk.length) / 512_000) - Math.floor(read / 512_000);
    read += chunk.length;
    for (let step = 0; step < steps; step += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(5_000);
    }
  }
  expect(read).toBeGreaterThan(whole);
  expect(await closed(api, 'not_reading')).toBe(0);
});

describe('at a limit of connections', () => {
  it('unused ones give way, so that hoarding keeps nobody out', async () => {
    const api = await start({ maxConnectionsPerAddress: 4 });
    const first = await open(api);
    first.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(first, 'readable');
    for (let count = 0; count < 20; count += 1)
      sockets.add(connect(api.port, '127.0.0.1').on('error', () => undefined));
    await eventually('all came', async () => (await closed(api, 'replaced')) === 17);
    expect(await connections(api)).toBe(4);
    expect((await api.get('/v1/messages')).status).toBe(200);
    // those that never asked go before one that has
    expect(first.destroyed).toBe(false);
  });

  it('the newest is closed when all are at work', async () => {
    const { queryMessages, release, asked } = fixture.heldQueries();
    const api = await start({ maxConnections: 2 }, { queryMessages });
    const answers = [api.get('/v1/messages'), api.get('/v1/messages')];
    await asked;
    await eventually('both are at work', async () => (await metricOf(api, 'indexer_active_requests', {})) === 2);
    await expect(api.get('/v1/messages')).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) });
    expect(await closed(api, 'limit')).toBe(1);
    release();
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200);
    expect((await api.get('/v1/messages')).status).toBe(200);
  });

  it('of one address a trusted proxy is exempt', async () => {
    const api = await start({ maxConnectionsPerAddress: 1, trustedProxies: ['127.0.0.0/8'] });
    for (let count = 1; count <= 3; count += 1) {
      await open(api);
      expect(await connections(api)).toBe(count);
    }
    expect(await closed(api, 'replaced')).toBe(0);
  });
});

it('a connection that breaks leaves nothing of the answers that wait behind another one', async () => {
  const [first, held] = [maker.message(), gate()];
  await fixture.storage.insertBatch({ verifierResults: [maker.result(first, 0, { ccvDataBytes: 500_000 })] });
  let asked = 0;
  const getCCVData: typeof fixture.storage.getCCVData = async (messageId, part) => {
    asked += 1;
    if (asked === 1 || asked === 3) await held.opened;
    return await fixture.storage.getCCVData(messageId, part);
  };
  const api = await start({}, { getCCVData });
  const bytes = () => metricOf(api, 'indexer_http_answers_under_way_bytes', {});
  const active = () => metricOf(api, 'indexer_active_requests', {});
  const socket = await open(api);
  socket.write(`GET /v1/verifierresults/${first.messageId} HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(3));
  await eventually('the second is made, and waits', async () => asked === 3 && (await bytes()) > 500_000);
  expect(await active()).toBe(3);
  socket.destroy();
  await eventually('none is under way', async () => (await active()) === 0 && (await bytes()) === 0);
  held.open();
  await api.get(`/v1/verifierresults/${first.messageId}`);
  expect([await active(), await bytes()]).toEqual([0, 0]);
});

describe('what Node would answer without a body', () => {
  const answer = (head: string) => async (api: RunningApi) =>
    (await askRaw(api.port, `GET /health HTTP/1.1\r\n${head}connection: close\r\n\r\n`)).split('\r\n\r\n');

  it.each([
    ['no Host header', '', 400, 'a request has one Host header, this one 0'],
    ['two Host headers', 'host: a\r\nHost: a\r\n', 400, 'a request has one Host header, this one 2'],
    ['an expectation', 'host: a\r\nexpect: tea\r\n', 417, 'expectation failed: only 100-continue'],
  ])('has the error body: %s', async (_what, head, status, message) => {
    const [headers = '', body = ''] = await answer(head)(await start());
    expect(headers.split('\r\n')[0]).toContain(`HTTP/1.1 ${status} `);
    expect(headers.toLowerCase()).toContain('content-type: application/json');
    expect(body).toContain(JSON.stringify({ success: false, status, message }));
  });

  it('is no matter to HTTP/1.0, which knows no Host', async () => {
    const { port } = await start();
    expect(await askRaw(port, 'GET /health HTTP/1.0\r\n\r\n')).toContain(' 200 OK');
  });
});
