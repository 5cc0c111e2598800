import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { ClosedError } from '../../../src/core/errors.js';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import { createLogger } from '../../../src/core/logger.js';
import { secrets } from '../../../src/core/masker.js';
import { decodeMessage } from '../../../src/protocol/message-codec.js';
import type { NewMessage, VerifierResult } from '../../../src/protocol/records.js';
import { createRestReader, type RestReaderOptions } from '../../../src/verifiers/rest-reader.js';
import type { VerifierResultRejectedError } from '../../../src/verifiers/verifier-errors.js';
import { answerJson, resultJson, startVerifierServer } from '../../support/indexer/verifier-server.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';
import { createStoppedClock } from '../../support/stopped-clock.js';

const make = createRecordMaker(7, { judged: false });
const CCV: Hex = '0x09635f643e140090a9a8dcd712ed6285858cebef';
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function setUp(overrides: Partial<RestReaderOptions> = {}, path = '') {
  const server = await startVerifierServer(path);
  closing.push(server.close);
  const reader = createRestReader({
    name: 'committee',
    issuerAddresses: [CCV],
    baseUrl: server.baseUrl,
    requestTimeoutMs: 60_000,
    batchSize: 100,
    maxBatchWaitMs: 5,
    maxResponseBytes: 4 * 1024 * 1024,
    retries: 0,
    common: createCommon(),
    ...overrides,
  });
  closing.push(() => reader.close());
  const strays: VerifierResultRejectedError[] = [];
  reader.onStray((stray) => strays.push(stray));
  return { server, reader, strays };
}

const message = (): NewMessage => make.message({ ccvs: [CCV] });
const result = (of = message(), ccvDataBytes = 134): VerifierResult =>
  make.result(of, 0, { verifierName: 'committee', ccvDataBytes });
const plain = (found: VerifierResult | null) =>
  found && { ...found, encodedMessage: bytesToHex(found.encodedMessage), ccvData: bytesToHex(found.ccvData) };

describe('a REST verifier is asked', () => {
  it('for many messages in one request, and results in any order find their messages', async () => {
    const { server, reader } = await setUp();
    const results = Array.from({ length: 20 }, () => result());
    server.add(...results);
    const unknown = message();
    server.misbehave((ids) => answerJson([...ids].reverse().map((id) => server.known.get(id) ?? 'null')));
    const found = await Promise.all([...results, unknown].map(({ messageId }) => reader.read(messageId)));
    expect(found.map(plain)).toEqual([...results.map(plain), null]);
    expect(server.requests).toHaveLength(1);
    expect(reader.status()).toMatchObject({ circuit: 'closed', lastError: null });
  });

  it('in requests of BatchSize', async () => {
    const { server, reader } = await setUp({ batchSize: 4 });
    const results = Array.from({ length: 10 }, () => result());
    server.add(...results);
    await Promise.all(results.map(({ messageId }) => reader.read(messageId)));
    expect(server.requests.map((ids) => ids.length).sort()).toEqual([2, 4, 4]);
  });

  it('in request lines below 8 KB, whatever BatchSize says', async () => {
    const { server, reader } = await setUp(
      { batchSize: 500 },
      '/a/rather/long/path/to/the/verifier/behind/some/gateway',
    );
    const results = Array.from({ length: 300 }, () => result());
    server.add(...results);
    const found = await Promise.all(results.map(({ messageId }) => reader.read(messageId)));
    expect(found.map(plain)).toEqual(results.map(plain));
    for (const target of server.targets) expect(target.length).toBeLessThan(8_000);
    expect(server.requests.length).toBe(3);
  });

  it.each(['', '/', '/api', '/api/'])('at its BaseURL ending in %j', async (end) => {
    const { server } = await setUp({}, end.replace(/\/$/, ''));
    const { reader } = await setUp({ baseUrl: server.baseUrl.replace(/\/api$/, '') + end });
    const known = result();
    server.add(known);
    expect(plain(await reader.read(known.messageId))).toEqual(plain(known));
  });

  it('and 64- and 256-bit numbers arrive exactly', async () => {
    const { server, reader } = await setUp();
    const known = result(
      make.message({ ccvs: [CCV], sourceChainSelector: SELECTORS.max, destChainSelector: SELECTORS.high }),
    );
    server.add(known);
    const found = await reader.read(known.messageId);
    expect(decodeMessage(found!.encodedMessage)).toMatchObject({
      sourceChainSelector: 2n ** 64n - 1n,
      destChainSelector: 14767482510784806043n,
    });
  });

  it('and not called back when it knows nothing: 404, null and empty data mean not yet', async () => {
    const { server, reader, strays } = await setUp();
    expect(await reader.read(message().messageId)).toBeNull();
    server.misbehave((ids) =>
      answerJson(
        ids.map(() => 'null'),
        ['not found: something'],
      ),
    );
    expect(await reader.read(message().messageId)).toBeNull();
    server.misbehave(() => '{"results":null}');
    expect(await reader.read(message().messageId)).toBeNull();
    const announced = result();
    server.misbehave(() => answerJson([resultJson(announced, { ccv_data: '"0x3c4605eb00"' })]));
    expect(await reader.read(announced.messageId)).toBeNull();
    expect(strays).toEqual([]);
    expect(reader.status().circuit).toBe('closed');
  });
});

describe('a bad result', () => {
  it('is rejected with its bytes as they came, and its batch goes on', async () => {
    const { server, reader, strays } = await setUp();
    const good = result();
    const bad = result();
    const badText = resultJson(bad, {
      message_executor_address: `"${make.hex(20)}"`,
      'extra  ': ' 14767482510784806043',
    });
    server.misbehave(() => answerJson([badText, resultJson(good)]));
    const [first, second] = await Promise.allSettled([reader.read(bad.messageId), reader.read(good.messageId)]);
    expect(second).toMatchObject({ status: 'fulfilled', value: { messageId: good.messageId } });
    expect(first).toMatchObject({
      status: 'rejected',
      reason: { code: 'VERIFIER_RESULT_REJECTED', reason: 'ccv_and_executor_hash', messageId: bad.messageId },
    });
    if (first.status === 'rejected') expect(Buffer.from(first.reason.raw).toString()).toBe(badText);
    expect(strays).toEqual([]);
  });

  it('that nobody asked for, or that is unreadable, is reported as a stray', async () => {
    const { server, reader, strays } = await setUp();
    const asked = result();
    const unasked = result();
    // one bit of the asked message differs: another id
    const forged = resultJson(asked).replace('"execution_gas_limit":200000', '"execution_gas_limit":200001');
    server.misbehave(() => answerJson([resultJson(unasked), '{"message":{"version":9}}', forged, '7']));
    expect(await reader.read(asked.messageId)).toBeNull();
    expect(strays.map(({ reason }) => reason)).toEqual(['unrequested', 'message', 'unrequested', 'shape']);
    expect(strays[0]?.messageId).toBe(unasked.messageId);
    expect(strays.map(({ raw }) => Buffer.from(raw).toString())[2]).toBe(forged);
  });

  it('that comes twice is reported, and does not hide the good one', async () => {
    const { server, reader, strays } = await setUp();
    const good = result();
    const bad = resultJson(good, { metadata: `{"timestamp":1.5,"verifier_source_address":"${CCV}"}` });
    server.misbehave(() => answerJson([bad, resultJson(good), resultJson(good)]));
    expect(plain(await reader.read(good.messageId))).toEqual(plain(good));
    expect(strays.map(({ reason }) => reason)).toEqual(['timestamp', 'duplicate']);
  });
});

describe('a service in trouble', () => {
  it.each([
    ['500', 500, 'server'],
    ['429', 429, 'rate-limited'],
    ['401', 401, 'refused'],
    ['302', 302, 'refused'],
  ])('answering %s is unavailable, and says nothing about the messages', async (_, status, kind) => {
    const { server, reader } = await setUp();
    server.misbehave((_ids, reply) => void reply.code(status).send('words of the service\nat line 2'));
    await expect(reader.read(message().messageId)).rejects.toMatchObject({
      code: 'VERIFIER_UNAVAILABLE',
      kind,
      status,
    });
    expect(reader.status()).toMatchObject({
      lastError: `verifier committee cannot be asked: ${kind} (HTTP ${status}: words of the service)`,
      lastErrorStatus: status,
      failuresInARow: 1,
    });
    server.misbehave(null);
    expect(await reader.read(message().messageId)).toBeNull();
  });

  it('says why in the log and in status, without secrets, and still does once its circuit is open', async () => {
    const lines: Record<string, unknown>[] = [];
    const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
    const common = createCommon({ log: createLogger({ level: 'warn', format: 'json', destination }) });
    const { server, reader } = await setUp({ common, failuresToOpen: 2 });
    secrets.add([{ text: 'key-of-the-committee', where: 'anywhere' }]);
    const said = JSON.stringify({ error: 'bad key', got: 'key-of-the-committee' }, null, 2);
    server.misbehave((_ids, reply) => void reply.code(401).send(said));
    for (let i = 0; i < 3; i++) await reader.read(message().messageId).catch(() => 'as it should');
    const reason = 'refused (HTTP 401: { "error": "bad key", "got": "***" })';
    await expect(reader.read(message().messageId)).rejects.toThrow(`circuit-open (${reason})`);
    expect(reader.status()).toMatchObject({
      circuit: 'open',
      lastError: `verifier committee cannot be asked: ${reason}`,
      lastErrorStatus: 401,
      failuresInARow: 2,
    });
    expect(lines).toMatchObject([
      { msg: 'a request to a verifier failed', kind: 'refused', status: 401, reason, failures: 1 },
      { msg: 'circuit of a verifier changed', circuit: 'open', reason, failures: 2 },
    ]);
    expect(server.requests).toHaveLength(2);
  });

  it('that cannot be reached says so by the code of the network', async () => {
    const { reader } = await setUp({ baseUrl: 'http://127.0.0.1:1' });
    await expect(reader.read(message().messageId)).rejects.toThrow('network (ECONNREFUSED)');
    expect(reader.status()).toMatchObject({ lastErrorStatus: null, failuresInARow: 1 });
  });

  it('is asked again at once when that may help', async () => {
    const { server, reader } = await setUp({ retries: 2, retryBackoff: { baseMs: 1, maxMs: 1 } });
    const known = result();
    let calls = 0;
    server.misbehave((_ids, reply) => (++calls < 3 ? void reply.code(503).send('') : answerJson([resultJson(known)])));
    expect(plain(await reader.read(known.messageId))).toEqual(plain(known));
    expect(calls).toBe(3);
  });

  it('that does not answer in time is given up', async () => {
    const { server, reader } = await setUp({ requestTimeoutMs: 50 });
    server.misbehave(() => new Promise<never>(() => undefined));
    await expect(reader.read(message().messageId)).rejects.toMatchObject({ kind: 'timeout' });
  });

  it.each([
    ['no JSON', '<html>'],
    ['null', 'null'],
    ['no object', '"results"'],
    ['no results', '{}'],
    ['results that are no list', '{"results":{}}'],
  ])('answering %s is no "not yet"', async (_, body) => {
    const { server, reader } = await setUp();
    server.misbehave(() => body);
    await expect(reader.read(message().messageId)).rejects.toMatchObject({ kind: 'malformed' });
  });

  it('opens the circuit, which closes once it answers again', async () => {
    const clock = createStoppedClock();
    const common = createCommon({ clock });
    const { server, reader } = await setUp({ common, failuresToOpen: 2, openBackoff: { baseMs: 20, maxMs: 20 } });
    server.misbehave((_ids, reply) => void reply.code(500).send(''));
    for (let i = 0; i < 2; i++)
      await expect(reader.read(message().messageId)).rejects.toMatchObject({ kind: 'server' });
    await expect(reader.read(message().messageId)).rejects.toMatchObject({ kind: 'circuit-open' });
    expect(server.requests).toHaveLength(2);
    expect(reader.status().circuit).toBe('open');
    server.misbehave(null);
    clock.advance(20);
    expect(await reader.read(message().messageId)).toBeNull();
    expect(reader.status().circuit).toBe('closed');
  });

  it('whose answer breaks off in the middle is unavailable', async () => {
    const broken = createServer((_request, response: ServerResponse) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"results":[');
      setImmediate(() => response.destroy());
    });
    broken.listen(0, '127.0.0.1');
    await once(broken, 'listening');
    closing.push(async () => void broken.close());
    const address = broken.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const { reader } = await setUp({ baseUrl: `http://127.0.0.1:${port}` });
    await expect(reader.read(message().messageId)).rejects.toMatchObject({ kind: 'network' });
  });

  it('that is not there is unavailable', async () => {
    const { server, reader } = await setUp();
    await server.close();
    await expect(reader.read(message().messageId)).rejects.toMatchObject({ kind: 'network' });
  });
});

describe('an answer that is too large', () => {
  it('is cut off while it streams', async () => {
    let sentBytes = 0;
    let ended = false;
    const endless = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(16 * 1024, 0x20);
      const more = () => {
        while (!response.destroyed) {
          sentBytes += chunk.length;
          if (!response.write(chunk)) break;
        }
      };
      response.on('drain', more);
      response.on('close', () => {
        ended = true;
      });
      more();
    });
    endless.listen(0, '127.0.0.1');
    await once(endless, 'listening');
    closing.push(async () => void endless.close());
    const address = endless.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const { reader } = await setUp({
      baseUrl: `http://127.0.0.1:${port}`,
      maxResponseBytes: 100_000,
    });
    await expect(reader.read(message().messageId)).rejects.toMatchObject({ kind: 'response-too-large' });
    await expect.poll(() => ended).toBe(true);
    // what fits into the buffers of two sockets, and no more
    expect(sentBytes).toBeLessThan(50_000_000);
  });

  it('is asked for in halves, so that one batch of large results still arrives', async () => {
    const { server, reader } = await setUp({ maxResponseBytes: 40_000, failuresToOpen: 2 });
    const results = Array.from({ length: 16 }, () => result(message(), 5_000));
    server.add(...results);
    const found = await Promise.all(results.map(({ messageId }) => reader.read(messageId)));
    expect(found.map(plain)).toEqual(results.map(plain));
    expect(reader.status().circuit).toBe('closed');
  });

  it('or that one id spoils otherwise, fails for that id alone', async () => {
    const { server, reader } = await setUp();
    const results = Array.from({ length: 8 }, () => result());
    const poison = results[3]!.messageId;
    server.add(...results);
    server.misbehave((ids, reply) => {
      if (ids.includes(poison)) return void reply.code(400).send('bad id');
      return answerJson(ids.map((id) => server.known.get(id) ?? 'null'));
    });
    const found = await Promise.allSettled(results.map(({ messageId }) => reader.read(messageId)));
    expect(found.map(({ status }) => status)).toEqual(
      results.map(({ messageId }) => (messageId === poison ? 'rejected' : 'fulfilled')),
    );
  });

  it('every time, opens the circuit instead of asking for every id', async () => {
    const { server, reader } = await setUp({ failuresToOpen: 3, openBackoff: { baseMs: 3_600_000, maxMs: 3_600_000 } });
    server.misbehave(() => 'never JSON');
    const found = await Promise.allSettled(Array.from({ length: 64 }, () => reader.read(message().messageId)));
    expect(found.every(({ status }) => status === 'rejected')).toBe(true);
    expect(server.requests.length).toBeLessThan(16);
    expect(reader.status().circuit).toBe('open');
  });
});

describe('closing a reader', () => {
  it('fails what waits and what runs', async () => {
    const { server, reader } = await setUp({ batchSize: 1 });
    server.misbehave(() => new Promise<never>(() => undefined));
    const running = reader.read(message().messageId);
    await expect.poll(() => server.requests.length).toBe(1);
    const ends = Promise.allSettled([running]);
    await reader.close();
    expect(await ends).toMatchObject([{ status: 'rejected', reason: expect.any(ClosedError) }]);
    await expect(reader.read(message().messageId)).rejects.toBeInstanceOf(ClosedError);
  });
});
