import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { bytesField, encodeResult, encodeResults } from '../../../scripts/devnet/aggregator/wire.js';
import { createCommon } from '../../../src/core/common.js';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import { createLogger } from '../../../src/core/logger.js';
import type { VerifierResult } from '../../../src/protocol/records.js';
import type { AggregatorReaderOptions } from '../../../src/verifiers/aggregator/aggregator-reader.js';
import { createVerifierReader } from '../../../src/verifiers/create-verifier-reader.js';
import { VerifierResultRejectedError, VerifierUnavailableError } from '../../../src/verifiers/verifier-errors.js';
import { createRecordMaker } from '../../support/records.js';
import { traces } from '../../support/tracing/told-spans.js';
import { API_KEY, closing, openAggregator, SECRET } from '../../support/verifiers/aggregator.js';

const make = createRecordMaker(23, { judged: false });
const CCV: Hex = '0x09635f643e140090a9a8dcd712ed6285858cebef';

async function setUp(overrides: Partial<AggregatorReaderOptions> = {}) {
  const aggregator = await openAggregator();
  const reader = await createVerifierReader({
    type: 'aggregator',
    name: 'committee',
    issuerAddresses: [CCV],
    address: aggregator.address,
    apiKey: API_KEY,
    secret: SECRET,
    insecure: true,
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
  return { aggregator, reader, strays };
}

const message = () => make.message({ ccvs: [CCV] });
const result = (of = message(), ccvDataBytes = 134): VerifierResult =>
  make.result(of, 0, { verifierName: 'committee', ccvDataBytes });
const plain = (found: VerifierResult | null) =>
  found && { ...found, encodedMessage: bytesToHex(found.encodedMessage), ccvData: bytesToHex(found.ccvData) };
const errorOf = (read: Promise<unknown>): Promise<unknown> =>
  read.then(
    () => 'no error',
    (error: unknown) => error,
  );

describe('the reader of an aggregator', () => {
  it('names the trace of the first message to the aggregator', async () => {
    const { tracing, spans } = traces();
    const common = createCommon({ tracing });
    const { aggregator, reader } = await setUp({ common });
    const published = result();
    const { messageId } = published;
    aggregator.publish(published);
    await reader.read(messageId);
    const [request] = spans();
    expect(request).toMatchObject({ name: 'verifier.request', traceId: messageId.slice(2, 34) });
    const [traceparent] = aggregator.requests[0]?.metadata.get('traceparent') ?? [];
    expect(traceparent).toBe(`00-${request?.traceId}-${request?.spanId}-01`);
  });

  it('asks for many messages in one request: an unknown id is not known, the others of its batch are good', async () => {
    const lines: string[] = [];
    const log = createLogger({ level: 'warn', format: 'json', destination: { write: (line) => lines.push(line) } });
    const { aggregator, reader, strays } = await setUp({ common: createCommon({ log }) });
    const results = [result(), result(), result()];
    for (const each of results) aggregator.publish(each);
    const unknown = message().messageId;
    const [first, ...rest] = results.map(({ messageId }) => messageId);
    const found = await Promise.all([first, unknown, ...rest].map((id) => reader.read(id as Hex)));
    expect(found.map(plain)).toEqual([plain(results[0]!), null, plain(results[1]!), plain(results[2]!)]);
    expect(aggregator.requests).toHaveLength(1);
    expect(strays).toEqual([]);
    // the entry in `errors` is no complaint: it is how an unknown id looks
    expect(lines).toEqual([]);
  });

  it('promise 10: rejects an undecodable result alone, with its bytes, as the answer for the id at its place', async () => {
    const { aggregator, reader, strays } = await setUp();
    const [good, bad] = [result(), result()];
    aggregator.publish(good);
    const junk = Buffer.from('0a7f00', 'hex');
    aggregator.publishBytes(junk, bad.messageId);
    const [found, error] = await Promise.all([reader.read(good.messageId), errorOf(reader.read(bad.messageId))]);
    expect(plain(found)).toEqual(plain(good));
    expect(error).toBeInstanceOf(VerifierResultRejectedError);
    expect(error).toMatchObject({ reason: 'shape', messageId: null });
    expect(Buffer.from((error as VerifierResultRejectedError).raw)).toEqual(junk);
    expect(strays).toEqual([]);
  });

  it.each<[string, (given: VerifierResult) => VerifierResult]>([
    ['source_not_of_reader', () => make.result(make.message({ ccvs: [make.hex(20)] }))],
    ['ccv_and_executor_hash', (given) => ({ ...given, messageExecutorAddress: make.hex(20) })],
    ['source_not_in_message', (given) => ({ ...given, verifierSourceAddress: make.hex(20) })],
    ['timestamp', (given) => ({ ...given, attestationMs: Number.MAX_SAFE_INTEGER })],
    ['ccv_data_size', (given) => ({ ...given, ccvData: make.bytes(128 * 1024 + 1) })],
  ])('checks results as those of a REST verifier are: %s', async (reason, change) => {
    const { aggregator, reader } = await setUp();
    const changed = change(result());
    aggregator.publish(changed);
    const error = await errorOf(reader.read(changed.messageId));
    expect(error).toMatchObject({ reason, messageId: changed.messageId });
    const { raw } = error as VerifierResultRejectedError;
    expect(Buffer.from(raw)).toEqual(encodeResult(changed).subarray(0, reason === 'ccv_data_size' ? 4_096 : undefined));
  });

  it('takes a result that only announces its message for one that is not there yet', async () => {
    const { aggregator, reader } = await setUp();
    const announced = { ...result(), ccvData: Uint8Array.from([0x3c, 0x46, 0x05, 0xeb, 1]) };
    aggregator.publish(announced);
    expect(await reader.read(announced.messageId)).toBeNull();
  });

  it('reports a result that was not asked for as a stray, and takes results in any order', async () => {
    const { aggregator, reader, strays } = await setUp();
    const [a, b, other] = [result(), result(), result()];
    aggregator.answer(() => encodeResults([b, other, a].map(encodeResult)));
    const found = await Promise.all([a, b].map(({ messageId }) => reader.read(messageId)));
    expect(found.map(plain)).toEqual([a, b].map(plain));
    expect(strays.map(({ reason, messageId }) => [reason, messageId])).toEqual([['unrequested', other.messageId]]);
  });
});

describe('an aggregator that refuses', () => {
  it('credentials is no outage: its circuit stays closed, and status says what to do', async () => {
    const { reader } = await setUp({ secret: 'ab'.repeat(32), failuresToOpen: 2 });
    for (let time = 0; time < 4; time += 1) {
      const error = await errorOf(reader.read(message().messageId));
      expect(error).toBeInstanceOf(VerifierUnavailableError);
      expect(error).toMatchObject({ kind: 'unauthenticated' });
    }
    const { circuit, lastError, lastErrorStatus, failuresInARow } = reader.status();
    expect({ circuit, lastErrorStatus, failuresInARow }).toEqual({
      circuit: 'closed',
      lastErrorStatus: null,
      failuresInARow: 4,
    });
    expect(lastError).toBe(
      'verifier committee cannot be asked: unauthenticated (Unauthenticated: invalid signature; ' +
        'check APIKey and Secret: the clocks agree)',
    );
  });

  it('a batch for one id is asked in halves, and the circuit stays closed', async () => {
    const { aggregator, reader } = await setUp({ failuresToOpen: 2 });
    const results = Array.from({ length: 8 }, () => result());
    for (const each of results) aggregator.publish(each);
    const bad = results[5]!.messageId;
    aggregator.answer(({ bytes }) =>
      bytes.includes(Buffer.from(bad.slice(2), 'hex')) ? { code: status.INVALID_ARGUMENT, details: 'bad id' } : null,
    );
    const found = await Promise.all(results.map(({ messageId }) => errorOf(reader.read(messageId))));
    expect(found.filter((each) => each === 'no error')).toHaveLength(7);
    expect(found[5]).toMatchObject({ kind: 'invalid-request', reason: 'invalid-request (InvalidArgument: bad id)' });
    expect(reader.status().circuit).toBe('closed');
  });

  it('for a full queue is asked again, and its circuit stays closed', async () => {
    const { aggregator, reader } = await setUp({
      retries: 3,
      retryBackoff: { baseMs: 1, maxMs: 1 },
      failuresToOpen: 2,
    });
    const given = result();
    aggregator.publish(given);
    let full = 3;
    aggregator.answer(() => {
      full -= 1;
      return full >= 0 ? { code: status.RESOURCE_EXHAUSTED, details: 'aggregation queue full' } : null;
    });
    expect(plain(await reader.read(given.messageId))).toEqual(plain(given));
    expect(reader.status().circuit).toBe('closed');
    expect(aggregator.requests).toHaveLength(4);
  });

  it('by failing opens the circuit', async () => {
    const { aggregator, reader } = await setUp({ failuresToOpen: 2 });
    aggregator.answer(() => ({ code: status.INTERNAL, details: 'database is away' }));
    for (let time = 0; time < 2; time += 1) await errorOf(reader.read(message().messageId));
    expect(reader.status().circuit).toBe('open');
    const error = await errorOf(reader.read(message().messageId));
    expect(error).toMatchObject({
      kind: 'circuit-open',
      reason: 'circuit-open (server (Internal: database is away))',
    });
    expect(aggregator.requests).toHaveLength(2);
  });
});

describe('an answer of an aggregator', () => {
  it('above the cap is asked for in halves, so that one batch of large results still arrives', async () => {
    const { aggregator, reader } = await setUp({ maxResponseBytes: 64 * 1024 });
    const results = Array.from({ length: 8 }, () => result(message(), 20_000));
    for (const each of results) aggregator.publish(each);
    const found = await Promise.all(results.map(({ messageId }) => reader.read(messageId)));
    expect(found.map(plain)).toEqual(results.map(plain));
    expect(aggregator.requests.length).toBeGreaterThan(1);
  });

  it('with far more results than ids asked is malformed before any is looked at', async () => {
    const { aggregator, reader } = await setUp();
    aggregator.answer(() => Buffer.concat(Array.from({ length: 102 }, () => bytesField(1, Buffer.alloc(0)))));
    expect(await errorOf(reader.read(message().messageId))).toMatchObject({ kind: 'malformed' });
  });

  it('with a complaint beside it is taken, and the complaint is logged without credentials', async () => {
    const lines: string[] = [];
    const log = createLogger({ level: 'warn', format: 'json', destination: { write: (line) => lines.push(line) } });
    const { aggregator, reader } = await setUp({ common: createCommon({ log }) });
    const given = result();
    const complaint = (text: string) =>
      bytesField(2, Buffer.concat([Buffer.from([0x08, 13]), bytesField(2, Buffer.from(text))]));
    aggregator.answer(() =>
      Buffer.concat([
        bytesField(1, encodeResult(given)),
        complaint('a shard is away'),
        complaint(`key ${API_KEY.slice(3, 12)} is old`),
      ]),
    );
    expect(plain(await reader.read(given.messageId))).toEqual(plain(given));
    expect(lines.map((line) => (JSON.parse(line) as { errors: unknown }).errors)).toEqual([
      ['INTERNAL: a shard is away', 'INTERNAL: (its words repeat a part of a credential)'],
    ]);
  });
});
