import { createServer as createTcpServer } from 'node:net';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { bytesField, encodePage } from '../../../scripts/devnet/aggregator/wire.js';
import { systemClock } from '../../../src/core/clock.js';
import { createCommon } from '../../../src/core/common.js';
import { AbortedError } from '../../../src/core/errors.js';
import { readProtobufClaim } from '../../../src/verifiers/aggregator/client/protobuf-claim.js';
import { createRecordMaker } from '../../support/records.js';
import { closing, failureOf, openClient } from '../../support/verifiers/aggregator.js';

const make = createRecordMaker(5, { judged: false });
const MIB = 1024 * 1024;

/** The machine's timers with another time of day. */
const clockOff = (offMs: number) => createCommon({ clock: { ...systemClock, nowMs: () => Date.now() + offMs } });

describe('an aggregator', () => {
  it('gives entries in pages of 100 from a sequence on, with gaps, and exact sequences', async () => {
    const { aggregator, client } = await openClient();
    const results = make.results(150);
    results.forEach((result, index) => {
      if (index === 120) aggregator.skip(2n ** 62n);
      aggregator.publish(result);
    });
    const first = await client.messagesSince(0n);
    expect(first.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 100 }, (_, at) => BigInt(at + 1)));
    const second = await client.messagesSince(101n);
    expect(second).toHaveLength(50);
    expect(second[49]?.sequence).toBe(2n ** 62n + 150n);
    const claims = [...first, ...second].map(({ raw }) => readProtobufClaim(raw));
    expect(claims.map((read) => (read.kind === 'claim' ? read.claim.messageId : read.kind))).toEqual(
      results.map(({ messageId }) => messageId),
    );
    expect(await client.messagesSince(2n ** 63n - 1n)).toEqual([]);
  });

  it('answers by id in the order of the ids, with an empty result and an error for an unknown one', async () => {
    const { aggregator, client } = await openClient();
    const [a, b] = make.results(2);
    if (!a || !b) throw new Error('no results');
    aggregator.publish(a);
    aggregator.publish(b);
    const unknown = make.message().messageId;
    const { results, errors } = await client.resultsFor([b.messageId, unknown, a.messageId]);
    const ids = results
      .map((raw) => readProtobufClaim(raw))
      .map((read) => (read.kind === 'claim' ? read.claim.messageId : read.kind));
    expect(ids).toEqual([b.messageId, 'empty', a.messageId]);
    expect(errors).toEqual([{ code: status.NOT_FOUND, message: 'message ID not found' }]);
  });

  it('shows an entry below a sequence that was read when it commits late', async () => {
    const { aggregator, client } = await openClient();
    const [late, early] = make.results(2);
    if (!late || !early) throw new Error('no results');
    const drawn = aggregator.draw(late);
    aggregator.publish(early);
    expect((await client.messagesSince(1n)).map(({ sequence }) => sequence)).toEqual([2n]);
    drawn.commit();
    expect((await client.messagesSince(1n)).map(({ sequence }) => sequence)).toEqual([1n, 2n]);
  });

  it('promise 10: keeps the bytes of an entry that cannot be decoded, and the entries around it are good', async () => {
    const { aggregator, client } = await openClient();
    const [a, b] = make.results(2);
    if (!a || !b) throw new Error('no results');
    aggregator.publish(a);
    const bad = Buffer.from('0a7f00', 'hex');
    aggregator.publishBytes(bad);
    aggregator.publish(b);
    const page = await client.messagesSince(1n);
    expect(page.map(({ sequence, raw }) => [sequence, readProtobufClaim(raw).kind])).toEqual([
      [1n, 'claim'],
      [2n, 'rejected'],
      [3n, 'claim'],
    ]);
    expect(Buffer.from(page[1]?.raw ?? [])).toEqual(bad);

    // neither its sequence nor its result can be read
    const broken = Buffer.from('10ff', 'hex');
    aggregator.answer(() =>
      Buffer.concat([bytesField(1, broken), encodePage([{ sequence: 9n, result: Buffer.alloc(0) }])]),
    );
    expect(await client.messagesSince(1n)).toEqual([
      { sequence: null, raw: Uint8Array.from(broken) },
      { sequence: 9n, raw: new Uint8Array(0) },
    ]);
  });
});

describe('a call to an aggregator', () => {
  it('without credentials has no header of them', async () => {
    const { aggregator, client } = await openClient({ apiKey: '', secret: '' }, { clients: new Map() });
    expect(await client.messagesSince(0n)).toEqual([]);
    const names = Object.keys(aggregator.requests[0]?.metadata.getMap() ?? {});
    expect(names.filter((name) => /auth/.test(name))).toEqual([]);
  });

  it('without credentials, or with others, is unauthenticated, and its error says what to do', async () => {
    const { client } = await openClient({ apiKey: '', secret: '' });
    const none = await failureOf(client.messagesSince(0n));
    expect(none).toMatchObject({ kind: 'unauthenticated', grpcCode: 'Unauthenticated', retryable: false });
    expect(none.message).toContain('it asks for APIKey and Secret, and none are configured');

    const { client: other } = await openClient({ secret: 'ee'.repeat(32) });
    const wrong = await failureOf(other.messagesSince(0n));
    expect(wrong.kind).toBe('unauthenticated');
    expect(wrong.message).toContain('check APIKey and Secret: the clocks agree');
  });

  it.each([
    { offMs: -62_000, words: /the clock of this machine is 6[12] s behind the aggregator's/ },
    { offMs: 62_000, words: /the clock of this machine is 6[23] s ahead of the aggregator's/ },
  ])('with a clock that is $offMs ms off is refused with an error that says so', async ({ offMs, words }) => {
    const { client } = await openClient({ common: clockOff(offMs) });
    const failure = await failureOf(client.messagesSince(0n));
    expect(failure.kind).toBe('unauthenticated');
    expect(failure.message).toMatch(words);
    expect(failure.message).toContain('a signature holds for 15 s: set the clock (NTP)');
  });

  it('within 15 s of the server by its clock is taken', async () => {
    const { client } = await openClient({}, { nowMs: () => Date.now() - 10_000 });
    expect(await client.messagesSince(0n)).toEqual([]);
  });

  it('with a negative sequence is an invalid request', async () => {
    const { client } = await openClient();
    expect(await failureOf(client.messagesSince(-1n))).toMatchObject({
      kind: 'invalid-request',
      grpcCode: 'InvalidArgument',
      retryable: false,
    });
  });

  it('takes an answer of the cap, and refuses one byte more without reading it', async () => {
    const { aggregator, client } = await openClient();
    // tag and length take five bytes above 2 MiB
    const answerOf = (sizeBytes: number) => bytesField(1, bytesField(1, Buffer.alloc(sizeBytes - 10)));
    aggregator.answer(() => answerOf(4 * MIB));
    expect(answerOf(4 * MIB)).toHaveLength(4 * MIB);
    expect(await client.messagesSince(0n)).toHaveLength(1);
    aggregator.answer(() => answerOf(4 * MIB + 1));
    const failure = await failureOf(client.messagesSince(0n));
    expect(failure).toMatchObject({ kind: 'response-too-large', grpcCode: 'ResourceExhausted', retryable: false });
    expect(failure.message).toContain('the cap is 4194304 bytes: raise MaxResponseBytes');
    const { client: wide } = await openClient({ address: aggregator.address, maxResponseBytes: 5 * MIB });
    expect(await wide.messagesSince(0n)).toHaveLength(1);
  });

  it('that meets a full queue passes, by the same code as an answer that is too large', async () => {
    const { aggregator, client } = await openClient();
    aggregator.answer(() => ({ code: status.RESOURCE_EXHAUSTED, details: 'aggregation queue full' }));
    expect(await failureOf(client.messagesSince(0n))).toMatchObject({
      kind: 'busy',
      grpcCode: 'ResourceExhausted',
      retryable: true,
      reason: 'ResourceExhausted: aggregation queue full',
    });
  });

  it.each([
    [status.INTERNAL, 'server', 'Internal'],
    [status.UNKNOWN, 'server', 'Unknown'],
    [status.CANCELLED, 'network', 'Canceled'],
    [status.UNAVAILABLE, 'network', 'Unavailable'],
    [status.UNIMPLEMENTED, 'refused', 'Unimplemented'],
    [status.PERMISSION_DENIED, 'unauthenticated', 'PermissionDenied'],
    [status.INVALID_ARGUMENT, 'invalid-request', 'InvalidArgument'],
  ] as const)('that ends with status %i is told apart and counted', async (code, kind, grpcCode) => {
    const { aggregator, client, metrics } = await openClient();
    aggregator.answer(() => ({ code, details: 'no' }));
    const failure = await failureOf(client.resultsFor([make.message().messageId]));
    expect(failure).toMatchObject({ kind, grpcCode });
    expect(await metrics.getSingleMetricAsString('indexer_grpc_errors_total')).toContain(
      `{code="${grpcCode}",method="/chainlink_ccv.verifier.v1.Verifier/GetVerifierResultsForMessage"} 1`,
    );
  });

  it('counts the bytes of its request and of its answer', async () => {
    const { aggregator, client, metrics } = await openClient();
    aggregator.publish(make.result(make.message()));
    await client.messagesSince(0n);
    await client.messagesSince(300n);
    const text = await metrics.getSingleMetricAsString('indexer_grpc_payload_size_bytes');
    const path = '/chainlink_ccv.message_discovery.v1.MessageDiscovery/GetMessagesSince';
    expect(text).toContain(`indexer_grpc_payload_size_bytes_sum{method="${path}",direction="request"} 3`);
    expect(text).toContain(`indexer_grpc_payload_size_bytes_count{method="${path}",direction="response"} 2`);
  });

  it('whose connection drops halfway fails, and the next one connects again', async () => {
    const { aggregator, client } = await openClient();
    aggregator.answer(() => {
      aggregator.dropConnections();
      return new Promise(() => undefined);
    });
    expect(await failureOf(client.messagesSince(0n))).toMatchObject({ kind: 'network', retryable: true });
    aggregator.answer(null);
    expect(await client.messagesSince(0n)).toEqual([]);
  });

  it('to a server that accepts and says nothing ends at the deadline, and when its caller gives up', async () => {
    const sockets = new Set<{ destroy(): void }>();
    const silent = createTcpServer((socket) => sockets.add(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    closing.push(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const { port } = silent.address() as { port: number };
    const { client } = await openClient({ address: `127.0.0.1:${port}`, timeoutMs: 50 });
    expect(await failureOf(client.messagesSince(0n))).toMatchObject({
      kind: 'timeout',
      grpcCode: 'DeadlineExceeded',
      retryable: true,
    });
    const { client: patient } = await openClient({ address: `127.0.0.1:${port}` });
    const leaving = new AbortController();
    const call = patient.messagesSince(0n, leaving.signal);
    leaving.abort();
    await expect(call).rejects.toThrow(AbortedError);
  });

  it('goes to a new connection after a deadline: the old one may be dead', async () => {
    let expire: (() => void) | null = null;
    const after = (_: number, callback: () => void) => {
      expire = callback;
      return () => undefined;
    };
    const { aggregator, client } = await openClient({ common: createCommon({ clock: { ...systemClock, after } }) });
    aggregator.answer(() => {
      expire?.();
      return new Promise(() => undefined);
    });
    expect((await failureOf(client.messagesSince(0n))).kind).toBe('timeout');
    aggregator.answer(null);
    await client.messagesSince(0n);
    await client.messagesSince(0n);
    expect(new Set(aggregator.requests.map(({ peer }) => peer)).size).toBe(2);
  });

  it('that is answered with no protobuf is malformed', async () => {
    const { aggregator, client } = await openClient();
    aggregator.answer(() => Buffer.from('<html>', 'utf8'));
    expect(await failureOf(client.messagesSince(0n))).toMatchObject({ kind: 'malformed' });
  });
});
