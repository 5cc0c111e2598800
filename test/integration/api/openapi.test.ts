import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTES as V1_ROUTES } from '../../../src/api/v1/route-definitions.js';
import { FEED_ROUTE } from '../../../src/api/v2/feed/feed-definition.js';
import { LANE_ROUTES } from '../../../src/api/v2/lanes/lane-definitions.js';
import { ROUTES as V2_ROUTES } from '../../../src/api/v2/route-definitions.js';
import type { Hex } from '../../../src/core/hex.js';
import type { VerifierResult } from '../../../src/model/records.js';
import { CoverageGapError } from '../../../src/model/storage-errors.js';
import { computeMessageId } from '../../../src/protocol/keccak.js';
import type { Message } from '../../../src/protocol/message.js';
import { encodeMessage } from '../../../src/protocol/message-codec.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { type Answer, type RunningApi, startApi } from '../../support/api/api.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly responses: Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>;
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Record<string, { readonly get: Operation }>;
  readonly components: { readonly schemas: Record<string, object> };
}

const ROUTES = [...V1_ROUTES, ...V2_ROUTES, ...LANE_ROUTES, FEED_ROUTE];
const documented = (path: string) => path.replace(/:(\w+)/, '{$1}');
const maker = createRecordMaker(4);

/** Every field empty or at its greatest. */
function extremes(): VerifierResult {
  const message: Message = {
    version: 1,
    sourceChainSelector: SELECTORS.max,
    destChainSelector: SELECTORS.high,
    messageNumber: SELECTORS.max,
    executionGasLimit: 2 ** 32 - 1,
    ccipReceiveGasLimit: 2 ** 32 - 1,
    finality: 2 ** 32 - 1,
    ccvAndExecutorHash: maker.hex(32),
    onRampAddress: '0x',
    offRampAddress: maker.hex(255),
    sender: '0x',
    receiver: '0x',
    destBlob: '0x',
    tokenTransfer: {
      version: 1,
      amount: 2n ** 256n - 1n,
      sourcePoolAddress: '0x',
      sourceTokenAddress: maker.hex(255),
      destTokenAddress: '0x',
      tokenReceiver: '0x',
      extraData: '0x',
    },
    data: '0x',
  };
  const encodedMessage = encodeMessage(message);
  return {
    messageId: computeMessageId(encodedMessage),
    encodedMessage,
    messageCCVAddresses: ['0x', maker.hex(255)],
    messageExecutorAddress: '0x',
    verifierSourceAddress: '0x',
    verifierDestAddress: '0x',
    ccvData: new Uint8Array(0),
    attestationMs: 0,
    verifierName: '',
  };
}

describe('the OpenAPI document', () => {
  let storage: Storage;
  let api: RunningApi;
  let limited: RunningApi;
  let broken: RunningApi;
  let document: Document;
  /** Of the message with a transfer, and that with the extremes. */
  let ids: readonly Hex[];
  const ajv = new Ajv2020({ strict: true, allErrors: true });
  formats.default(ajv);
  for (const format of ['uint64', 'uint256']) ajv.addFormat(format, { type: 'number', validate: () => true });
  ajv.addKeyword('components');

  beforeAll(async () => {
    storage = createMemoryStorage({ name: 'hot' });
    const result = extremes();
    const token = maker.message({ token: maker.hex(20) });
    ids = [token.messageId, result.messageId];
    await storage.insertBatch({
      messages: [{ ...result, origin: null }, maker.message({ ccvs: [] }), token],
      executions: [maker.execution(token), maker.execution({ ...result, origin: null })],
      verifierResults: [result, ...maker.results(2)],
    });
    const workers = [{ worker: 'w', breaker: 'half-open', failures: 3, seenMs: 5 }] as const;
    const list = async () => [{ name: 'committee-a', addresses: [maker.hex(20)], workers }];
    api = await startApi(storage, {}, {}, { verifiers: () => ({ list }) });
    limited = await startApi(storage, { rateLimit: { enabled: true, requestsPerSecond: 1 } });
    const fail = (error: Error) => () => Promise.reject(error);
    const gap = new CoverageGapError({ kind: 'time', startMs: 0, endMs: 1 }, 'sink');
    broken = await startApi({
      getCCVData: fail(gap),
      getMessage: fail(gap),
      queryCCVData: fail(gap),
      queryMessages: fail(new Error('broken')),
      getExecutions: fail(gap),
      getTransaction: fail(gap),
      list: fail(gap),
      count: fail(gap),
      queryUnfinishedMessages: fail(gap),
      changesAfter: fail(gap),
      boundaryAt: async () => ({ position: 9n, ingestionMs: 9 }),
      subscribe: () => () => undefined,
      health: async () => ({ healthy: false, reason: null }),
    });
    document = JSON.parse((await api.get('/openapi.json')).text);
  });

  afterAll(async () => {
    for (const server of [api, limited, broken]) await server.close();
    await storage.close();
  });

  /** Problems of an answer against what the document says of that route and status. */
  function problems(path: string, answer: Answer): unknown {
    const response = document.paths[path]?.get.responses[answer.status];
    if (!response) return `status ${answer.status} of ${path} is not in the document`;
    if (!response.content) return answer.text === '' ? null : 'a body where the document has none';
    const mediaType = String(answer.headers['content-type']);
    const schema = response.content[mediaType]?.schema;
    if (!schema) return `${mediaType} of ${path} is not in the document`;
    const validate = ajv.compile({ ...schema, components: document.components });
    return validate(JSON.parse(answer.text)) ? null : validate.errors;
  }

  it('is OpenAPI 3.1 with every route, and each of its schemas is valid', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(document.info.version).toBe('1.2.3');
    expect(Object.keys(document.paths)).toEqual(ROUTES.map((route) => documented(route.path)));
    for (const name of Object.keys(document.components.schemas))
      ajv.compile({ $ref: `#/components/schemas/${name}`, components: document.components });
    for (const { get } of Object.values(document.paths))
      for (const parameter of get.parameters ?? []) ajv.compile(parameter.schema);
  });

  it.each([
    ['/health', '/health', 200],
    ['/ready', '/ready', 200],
    ['/openapi.json', '/openapi.json', 200],
    ['/v1/verifierresults', '/v1/verifierresults', 200],
    ['/v1/verifierresults', '/v1/verifierresults?end=0', 200],
    ['/v1/verifierresults', '/v1/verifierresults?limit=x', 400],
    ['/v1/messages', '/v1/messages', 200],
    ['/v1/messages', '/v1/messages?start=x', 400],
    ['/v1/verifierresults/{messageID}', '/v1/verifierresults/0x00', 404],
    ['/v1/verifierresults/{messageID}', '/v1/verifierresults/x', 400],
    ['/v2/messages', '/v2/messages', 200],
    ['/v2/messages', '/v2/messages?limit=1&order=oldest', 200],
    ['/v2/messages', '/v2/messages?limit=0', 400],
    ['/v2/messages', '/v2/messages?senders=0x00', 400],
    ['/v2/lanes', '/v2/lanes', 200],
    ['/v2/lanes', '/v2/lanes?source=x', 400],
    ['/v2/lanes/{lane}', '/v2/lanes/1-2', 404],
    ['/v2/lanes/{lane}', '/v2/lanes/1', 400],
    ['/v2/feed', '/v2/feed', 200],
    ['/v2/feed', '/v2/feed?after=99', 409],
    ['/v2/feed', '/v2/feed?member=1', 400],
    ['/v2/messages/{messageID}', '/v2/messages/0x00', 404],
    ['/v2/messages/{messageID}', '/v2/messages/x', 400],
    ['/v2/transactions/{transactionHash}', '/v2/transactions/0x00', 404],
    ['/v2/verifiers', '/v2/verifiers', 200],
    ['/v2/stats', '/v2/stats', 200],
  ])('describes what %s answers to %s: %i', async (path, url, status) => {
    const answer = await api.get(url);
    expect(answer.status).toBe(status);
    expect(problems(path, answer)).toBeNull();
  });

  it('describes a verification of the extremes', async () => {
    const answer = await api.get(
      `/v1/verifierresults/${(await storage.queryCCVData({ limit: 1 })).items[0]!.messageId}`,
    );
    expect(answer.status).toBe(200);
    expect(problems('/v1/verifierresults/{messageID}', answer)).toBeNull();
  });

  it('describes a message of the second version, with everything and with the extremes', async () => {
    for (const id of ids) {
      const answer = await api.get(`/v2/messages/${id}`);
      expect(answer.status).toBe(200);
      expect(problems('/v2/messages/{messageID}', answer)).toBeNull();
    }
  });

  it('describes a transaction, with executions of a known message and of the extremes', async () => {
    for (const id of ids)
      for (const { place, messageId } of await storage.getExecutions(id)) {
        const answer = await api.get(`/v2/transactions/${place.transactionHash}`);
        expect(answer.json()).toMatchObject({ messages: [], executions: [{ messageId, message: { messageId } }] });
        expect(problems('/v2/transactions/{transactionHash}', answer)).toBeNull();
      }
  });

  it('describes what the routes answer when they are limited or cannot answer', async () => {
    const statuses: [string, number][] = [];
    for (const { path, exempt } of ROUTES) {
      const url = path.replace(/:\w+/, '0x00');
      const answers = [await broken.get(url), ...(await Promise.all([1, 2, 3, 4].map(() => limited.get(url))))];
      for (const answer of answers) expect(problems(documented(path), answer), `${url} ${answer.status}`).toBeNull();
      expect(answers.some((answer) => answer.status === 429)).toBe(!exempt);
      statuses.push([path, answers[0]!.status]);
    }
    expect(statuses).toEqual([
      ['/health', 200],
      ['/ready', 503],
      ['/v1/verifierresults', 503],
      ['/v1/verifierresults/:messageID', 503],
      ['/v1/messages', 500],
      ['/openapi.json', 200],
      ['/v2/messages', 503],
      ['/v2/messages/:messageID', 503],
      ['/v2/transactions/:transactionHash', 503],
      ['/v2/verifiers', 503],
      ['/v2/stats', 503],
      ['/v2/lanes', 503],
      ['/v2/lanes/:lane', 400],
      ['/v2/feed', 503],
    ]);
  });

  it('would notice an answer that is not as described', async () => {
    const answer = await api.get('/v1/messages');
    for (const [from, to] of [
      ['"status":0', '"status":3'],
      ['"sequence_number":', '"sequenceNumber":'],
      ['"data":null', '"data":""'],
      ['"success":true', '"success":false'],
    ] as const) {
      expect(answer.text).toContain(from);
      expect(problems('/v1/messages', { ...answer, text: answer.text.replace(from, to) })).not.toBeNull();
    }
  });

  it('describes what any request can be refused for', async () => {
    for (const [path, { get }] of Object.entries(document.paths))
      for (const status of [400, 405, 408, 414, 417, 431])
        expect(
          get.responses[status]?.content?.[path.startsWith('/v2/') ? 'application/problem+json' : 'application/json'],
          `${path} ${status}`,
        ).toBeDefined();
    const refused = [
      await api.get('/v1/messages', {}, 'POST'),
      await api.get(`/v1/messages?start=${'9'.repeat(25_000)}`),
      await api.get('/v1/messages', Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`x-${i}`, 'y']))),
      await api.get('/v1/messages', { expect: 'tea' }),
    ];
    expect(refused.map(({ status }) => status)).toEqual([405, 414, 431, 417]);
    for (const answer of refused) expect(problems('/v1/messages', answer), `${answer.status}`).toBeNull();
  });

  it('describes the parameters as they are read', async () => {
    const parameters = Object.fromEntries(
      (document.paths['/v1/messages']?.get.parameters ?? []).map((parameter) => [parameter.name, parameter]),
    );
    expect(parameters['limit']).toMatchObject({
      in: 'query',
      schema: { type: 'integer', minimum: 0, maximum: 1000, default: 100 },
    });
    expect(parameters['sourceChainSelectors']).toMatchObject({
      style: 'form',
      explode: false,
      schema: { type: 'array', items: { type: 'string' } },
    });
    const areSelectors = ajv.compile(parameters['sourceChainSelectors']!.schema);
    for (const [text, valid] of [
      ['0', true],
      ['18446744073709551615', true],
      ['09999999999999999999', true],
      ['17999999999999999999', true],
      ['18446744073709551616', false],
      ['18446744073709552000', false],
      ['20000000000000000000', false],
      ['100000000000000000000', false],
    ] as const) {
      expect(areSelectors([text]), text).toBe(valid);
      expect((await api.get(`/v1/messages?sourceChainSelectors=${text}`)).status, text).toBe(valid ? 200 : 400);
    }
    const isTime = ajv.compile(parameters['start']!.schema);
    for (const [text, valid] of [
      ['1767323045678', true],
      ['2026-01-02T03:04:05+02:00', true],
      ['', true],
      ['now', false],
    ] as const)
      expect(isTime(text)).toBe(valid);
  });
});
