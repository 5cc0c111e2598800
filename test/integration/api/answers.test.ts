import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifierResultJson } from '../../../src/api/v1/record-json.js';
import { type Hex, hexToBytes } from '../../../src/core/hex.js';
import type { NewMessage, StoredMessage, StoredVerifierResult, VerifierResult } from '../../../src/model/records.js';
import { formatRfc3339 } from '../../../src/protocol/rfc3339.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { type RunningApi, startApi } from '../../support/api/api.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';

const lane = JSON.parse(readFileSync(new URL('../../fixtures/lane.json', import.meta.url), 'utf8'));
const COMMITTEE = '0x84ea74d481ee0a5332c457a4d796187f6ba67feb';

function laneMessage(label: string): NewMessage {
  const { event, split } = lane.messages.find((message: { label: string }) => message.label === label);
  return {
    messageId: event.messageId,
    encodedMessage: hexToBytes(event.encodedMessage),
    messageCCVAddresses: split.ccvAddresses.map((address: string) => address.toLowerCase()),
    messageExecutorAddress: split.executorAddress.toLowerCase(),
    origin: null,
  };
}

function laneResult(label: string): VerifierResult {
  const { origin, ...message } = laneMessage(label);
  const { committee1 } = lane.attestations.find((attestation: { label: string }) => attestation.label === label);
  return {
    ...message,
    verifierSourceAddress: message.messageCCVAddresses[0]!,
    verifierDestAddress: COMMITTEE,
    ccvData: hexToBytes(committee1.verifierResults),
    attestationMs: 1_767_323_044_001,
    verifierName: 'committee-1',
  };
}

const REAL = 'data-default-ccv';
const REAL_JSON =
  '{"sender":"0x00000000000000000000000070997970c51812dc3a010c7d01b50e0d17dc79c8","data":"0x68656c6c6f20636376",' +
  '"on_ramp_address":"0x000000000000000000000000c5a5c42992decbae36851359345fe25997f5c42d","token_transfer":null,' +
  '"off_ramp_address":"0xa82ff9afd8f496c3d6ac40e2a0f282e47488cfc9","dest_blob":null,' +
  '"receiver":"0x70e0ba845a1a0f2da3359c97e0285013525ffc49","source_chain_selector":3379446385462418246,' +
  '"dest_chain_selector":12922642891491394802,"sequence_number":1,"execution_gas_limit":410257,' +
  '"ccip_receive_gas_limit":200000,"finality":0,' +
  '"ccv_and_executor_hash":"0xe8604358338a96fc9386c492525db4916ae839d29e3531eddc7dad9f262deb03",' +
  '"dest_blob_length":0,"token_transfer_length":0,"data_length":9,"receiver_length":20,"sender_length":32,"version":1,' +
  '"off_ramp_address_length":20,"on_ramp_address_length":32}';

const maker = createRecordMaker(2);
const twoCCVs = maker.message({ ccvs: [maker.hex(20), maker.hex(20)], ...lanes(SELECTORS.max, SELECTORS.low) });
const others = [
  maker.message(lanes(SELECTORS.high, SELECTORS.max)),
  maker.message(lanes(SELECTORS.mid, SELECTORS.high)),
  maker.message(lanes(SELECTORS.high, SELECTORS.low)),
];
const silent = maker.message();

function lanes(sourceChainSelector: bigint, destChainSelector: bigint) {
  return { sourceChainSelector, destChainSelector };
}

describe('the query API', () => {
  let storage: Storage;
  let api: RunningApi;
  /** Everything in list order. */
  let results: readonly StoredVerifierResult[];
  let messages: readonly StoredMessage[];

  beforeAll(async () => {
    storage = createMemoryStorage({ name: 'hot' });
    await storage.insertBatch({ messages: [laneMessage(REAL)], verifierResults: [laneResult(REAL)] });
    await storage.insertBatch({ messages: [twoCCVs], verifierResults: [maker.result(twoCCVs, 0)] });
    for (const message of others)
      await storage.insertBatch({ messages: [message], verifierResults: [maker.result(message)] });
    await storage.insertBatch({ verifierResults: [maker.result(twoCCVs, 1)] });
    await storage.insertBatch({
      messages: [silent],
      statuses: [{ messageId: others[0]!.messageId, status: 'success' }],
    });
    results = (await storage.queryCCVData({ limit: 1000 })).items;
    messages = (await storage.queryMessages({ limit: 1000 })).items;
    api = await startApi(storage);
  });

  afterAll(async () => {
    await api.close();
    await storage.close();
  });

  const idsOf = async (path: string): Promise<string[]> => {
    const answer = await api.get(path);
    expect(answer.status, answer.text).toBe(200);
    const body = answer.json() as { verifierResults?: object; messages?: object };
    return Object.keys(body.verifierResults ?? body.messages ?? {});
  };

  it('says that it runs, with no body', async () => {
    for (const path of ['/health', '/ready']) {
      const answer = await api.get(path);
      expect([answer.status, answer.text, answer.headers['content-length']]).toEqual([200, '', '0']);
    }
  });

  it('answers a real message’s verification byte for byte', async () => {
    const answer = await api.get(`/v1/verifierresults/${laneMessage(REAL).messageId}`);
    const ingested = formatRfc3339(results[0]!.ingestionMs);
    const proof = lane.attestations[0].committee1.verifierResults;
    expect(answer.text).toBe(
      `{"success":true,"results":[{"verifierResult":{"message_id":"${laneMessage(REAL).messageId}","message":${REAL_JSON},` +
        '"message_ccv_addresses":["0x3aa5ebb10dc797cac828524e59a333d0a371443c"],' +
        `"message_executor_address":"0xb7f8bc63bbcad18155201308c8f3540b07f84f5e","ccv_data":"${proof}",` +
        '"timestamp":"2026-01-02T03:04:04.001Z",' +
        '"verifier_source_address":"0x3aa5ebb10dc797cac828524e59a333d0a371443c",' +
        `"verifier_dest_address":"${COMMITTEE}"},"metadata":{"verifierName":"committee-1",` +
        `"attestationTimestamp":"2026-01-02T03:04:04.001Z","ingestionTimestamp":"${ingested}"}}],` +
        `"messageID":"${laneMessage(REAL).messageId}"}`,
    );
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(answer.text)));
  });

  it('lists a real message byte for byte', async () => {
    const atMs = messages[0]!.ingestionMs;
    expect((await api.get(`/v1/messages?start=${atMs}&end=${atMs}`)).text).toBe(
      `{"success":true,"messages":{"${laneMessage(REAL).messageId}":{"message":${REAL_JSON},` +
        `"metadata":{"status":0,"ingestionTimestamp":"${formatRfc3339(atMs)}"},` +
        '"messageCCVAddresses":["0x3aa5ebb10dc797cac828524e59a333d0a371443c"]}}}',
    );
  });

  it('lists verifications in the order of ingestion, those of one message under its first', async () => {
    const [real, twoFirst, a, b, c, twoSecond] = results.map(verifierResultJson);
    const key = (message: NewMessage): string => `"${message.messageId}":`;
    expect((await api.get('/v1/verifierresults')).text).toBe(
      `{"success":true,"verifierResults":{${key(laneMessage(REAL))}[${real}],${key(twoCCVs)}[${twoFirst},${twoSecond}],` +
        `${key(others[0]!)}[${a}],${key(others[1]!)}[${b}],${key(others[2]!)}[${c}]}}`,
    );
  });

  it('filters by selectors above 2^63, source and destination both', async () => {
    const [a, b, c] = others.map((message) => message.messageId);
    const sources = `sourceChainSelectors=${SELECTORS.high}`;
    expect(await idsOf(`/v1/messages?${sources}`)).toEqual([a, c]);
    expect(await idsOf(`/v1/messages?${sources},${SELECTORS.mid}`)).toEqual([a, b, c]);
    expect(await idsOf(`/v1/messages?${sources}&sourceChainSelectors=${SELECTORS.mid}`)).toEqual([a, c]);
    expect(await idsOf(`/v1/verifierresults?${sources}&destChainSelectors=${SELECTORS.max}`)).toEqual([a]);
    expect(await idsOf(`/v1/messages?sourceChainSelectors=${SELECTORS.max}`)).toEqual([twoCCVs.messageId]);
    // one off: what a client that rounds would ask
    expect(await idsOf('/v1/messages?sourceChainSelectors=14767482510784807000')).toEqual([]);
  });

  it('takes 500 source and 500 dest selectors of 20 digits, with encoded commas, beside 8 kB of headers', async () => {
    const from = (first: bigint) => Array.from({ length: 499 }, (_, index) => first - BigInt(index));
    const ask = (source: bigint, dest: bigint) =>
      api.get(
        '/v1/messages?start=1767323045678&end=9223372036854775807&limit=1000&offset=0' +
          `&sourceChainSelectors=${[...from(SELECTORS.max - 1n), source].join('%2C')}` +
          `&destChainSelectors=${[...from(SELECTORS.max - 500n), dest].join('%2C')}`,
        { 'user-agent': 'a'.repeat(8_000) },
      );
    const some = await ask(SELECTORS.high, SELECTORS.max);
    expect([some.status, Object.keys((some.json() as { messages: object }).messages)]).toEqual([
      200,
      [others[0]?.messageId],
    ]);
    const none = await ask(SELECTORS.max, SELECTORS.max);
    expect([none.status, none.text]).toEqual([200, '{"success":true,"messages":{}}']);
  });

  it('takes both bounds as inclusive, in either notation', async () => {
    const ids = messages.map((message) => message.messageId);
    const [first, second, third] = messages.map((message) => message.ingestionMs) as [number, number, number];
    expect(await idsOf(`/v1/messages?start=${second}`)).toEqual(ids.slice(1));
    expect(await idsOf(`/v1/messages?end=${second}`)).toEqual(ids.slice(0, 2));
    expect(await idsOf(`/v1/messages?start=${formatRfc3339(second)}&end=${formatRfc3339(third)}`)).toEqual(
      ids.slice(1, 3),
    );
    expect(await idsOf(`/v1/messages?start=${first - 1}&end=${first - 1}`)).toEqual([]);
    expect(await idsOf('/v1/messages?end=9223372036854775807')).toEqual(ids);
  });

  it('answers a range that ends before it starts, or before anything, with an empty map', async () => {
    expect((await api.get('/v1/verifierresults?start=200&end=100')).text).toBe('{"success":true,"verifierResults":{}}');
    expect((await api.get('/v1/messages?end=0')).text).toBe('{"success":true,"messages":{}}');
    expect((await api.get('/v1/messages?offset=1000000')).text).toBe('{"success":true,"messages":{}}');
    expect((await api.get('/v1/messages?limit=0')).text).toBe('{"success":true,"messages":{}}');
  });

  it('pages by limit and offset over the records, not over the groups', async () => {
    const ids = messages.map((message) => message.messageId);
    expect(await idsOf('/v1/messages?limit=2')).toEqual(ids.slice(0, 2));
    expect(await idsOf('/v1/messages?limit=2&offset=2')).toEqual(ids.slice(2, 4));
    const page = await api.get('/v1/verifierresults?limit=2&offset=4');
    expect(page.text).toBe(
      `{"success":true,"verifierResults":{"${others[2]!.messageId}":[${verifierResultJson(results[4]!)}],` +
        `"${twoCCVs.messageId}":[${verifierResultJson(results[5]!)}]}}`,
    );
  });

  it('shows the status of a message', async () => {
    const body = (await api.get('/v1/messages')).json() as {
      messages: Record<string, { metadata: { status: number } }>;
    };
    expect(body.messages[others[0]!.messageId]?.metadata.status).toBe(1);
    expect(body.messages[silent.messageId]?.metadata.status).toBe(0);
  });

  it('takes an empty filter and unknown parameters as nothing', async () => {
    const all = await idsOf('/v1/messages');
    expect(
      await idsOf('/v1/messages?sourceChainSelectors=&destChainSelectors=&start=0&limit=1000&offset=0&x=1'),
    ).toEqual(all);
  });

  it('finds a message however its id is written', async () => {
    const id = laneMessage(REAL).messageId;
    const whole = await api.get(`/v1/verifierresults/${id}`);
    for (const text of [id.slice(2), id.toUpperCase().replace('0X', '0x'), id.slice(2).toUpperCase()])
      expect((await api.get(`/v1/verifierresults/${text}`)).text).toBe(whole.text);
  });

  it('does not know an unknown message, nor a known one before its first verification', async () => {
    for (const id of [`0x${'00'.repeat(32)}`, 'ff', '0x', silent.messageId]) {
      const answer = await api.get(`/v1/verifierresults/${id}`);
      expect([answer.status, answer.text]).toEqual([
        404,
        '{"success":false,"status":404,"message":"MessageID not found"}',
      ]);
    }
  });

  it.each([
    ['/v1/verifierresults/0xzz', 'bad messageID: must be hexadecimal, whole bytes, at most 32 of them'],
    [`/v1/verifierresults/${'ab'.repeat(33)}`, 'bad messageID: must be hexadecimal, whole bytes, at most 32 of them'],
    [`/v1/verifierresults/${'ab'.repeat(500)}`, 'bad messageID: must be hexadecimal, whole bytes, at most 32 of them'],
    ['/v1/messages?limit=1001', 'bad limit: must be a whole number from 0 to 1000'],
    ['/v1/messages?offset=-1', 'bad offset: must be a whole number from 0 to 9007199254740991'],
    ['/v1/messages?start=now', 'bad start: must be RFC 3339 (2026-01-02T03:04:05Z) or unix milliseconds'],
    [
      '/v1/verifierresults?destChainSelectors=18446744073709551616',
      'bad destChainSelectors: must be chain selectors (0 to 18446744073709551615) separated by commas',
    ],
  ])('refuses %s', async (path, message) => {
    const answer = await api.get(path);
    expect([answer.status, answer.text]).toEqual([400, JSON.stringify({ success: false, status: 400, message })]);
    expect(answer.headers['content-type']).toBe('application/json');
  });

  it('takes an orphaned message out of the lists and still answers for its id', async () => {
    const orphan = maker.message();
    await storage.insertBatch({ messages: [orphan], verifierResults: [maker.result(orphan)] });
    expect(await idsOf('/v1/messages')).toContain(orphan.messageId);
    const { blockHash } = orphan.origin!;
    await storage.insertBatch({ orphanings: [{ messageId: orphan.messageId, blockHash }] });
    expect(await idsOf('/v1/messages')).not.toContain(orphan.messageId);
    expect(await idsOf('/v1/verifierresults')).not.toContain(orphan.messageId);
    const answer = await api.get(`/v1/verifierresults/${orphan.messageId}`);
    expect(answer.status).toBe(200);
    expect((answer.json() as { messageID: Hex }).messageID).toBe(orphan.messageId);
  });
});
