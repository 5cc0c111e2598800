import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VerifierDirectory } from '../../../src/api/v2/verifiers.js';
import type { Hex } from '../../../src/core/hex.js';
import type { Execution, NewMessage } from '../../../src/model/records.js';
import { decodeMessage } from '../../../src/protocol/message-codec.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { type RunningApi, startApi } from '../../support/api/api.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';

const make = createRecordMaker(77);
const padded = (address: Hex): Hex => `0x${address.slice(2).padStart(64, '0')}`;
const alice = make.hex(20);
const token = make.hex(20);
const ccvs = [make.hex(20), make.hex(20)];

interface ListAnswer {
  readonly messages: readonly { readonly messageId: Hex; readonly status: string }[];
  readonly nextCursor: string | null;
  readonly position: string;
}

describe('messages of the second version, from Postgres', () => {
  let database: TestDatabase;
  let storage: Storage;
  let api: RunningApi;
  const all: NewMessage[] = [];
  let executions: readonly Execution[];

  beforeAll(async () => {
    database = await createTestDatabase();
    storage = createPostgresStorage({ connection: database.connection });
    for (let commit = 0; commit < 12; commit += 1) {
      const messages = Array.from({ length: 10 }, (_, i) =>
        make.message({
          ...{ ccvs, sourceChainSelector: i % 2 === 0 ? SELECTORS.low : SELECTORS.max },
          ...(i === 3 && { sender: padded(alice) }),
          ...(i === 4 && { sender: alice, token: padded(token) }),
        }),
      );
      await storage.insertBatch({ messages });
      all.push(...[...messages].sort((a, b) => (a.messageId < b.messageId ? -1 : 1)));
    }
    const [first, second] = all;
    const failure = make.execution(first!, { state: 'failure', blockNumber: 5n, returnData: Uint8Array.of(1, 2) });
    const success = make.execution(first!, { state: 'success', blockNumber: 6n });
    executions = [failure, success, make.execution(make.message())];
    await storage.insertBatch({
      verifierResults: [make.result(first!, 0), make.result(first!, 0, { source: make.hex(20) })],
      executions,
      statuses: all.slice(10, 15).map(({ messageId }) => ({ messageId, status: 'timeout' })),
      orphanings: [{ messageId: second!.messageId, blockHash: second!.origin!.blockHash }],
    });
    api = await startApi(storage);
  });
  afterAll(async () => {
    await api.close();
    await storage.close();
    await database.drop();
  });

  const get = async (path: string) => {
    const { status, text } = await api.get(path);
    expect(status, text).toBe(200);
    return JSON.parse(text);
  };

  /** All pages of a list. */
  async function walk(parameters: string, limit: number): Promise<Hex[]> {
    const ids: Hex[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: ListAnswer = await get(`/v2/messages?${parameters}&limit=${limit}&cursor=${cursor}`);
      ids.push(...page.messages.map(({ messageId }) => messageId));
      cursor = page.nextCursor;
    }
    return ids;
  }

  it('tell one with each required CCV, the others, and its executions in order', async () => {
    const [first] = all;
    const detail = await get(`/v2/messages/${first!.messageId}`);
    const decoded = decodeMessage(first!.encodedMessage);
    expect(detail).toMatchObject({
      messageId: first!.messageId,
      sourceChainSelector: String(decoded.sourceChainSelector),
      messageNumber: String(decoded.messageNumber),
      sender: decoded.sender,
      finality: { value: 0, kind: 'finalized', depth: null },
      status: 'processing',
      orphaned: false,
      origin: { blockNumber: String(first!.origin!.blockNumber), transactionHash: first!.origin!.transactionHash },
      requiredCCVs: [
        { address: ccvs[0], verifications: [{ verifierName: 'committee-a', orphaned: false }], missing: null },
        { address: ccvs[1], verifications: [], missing: 'waiting' },
      ],
      otherVerifications: [{ verifierSourceAddress: expect.stringMatching(/^0x/) }],
      transactions: {
        source: first!.origin!.transactionHash,
        destination: executions.slice(0, 2).map(({ place }) => place.transactionHash),
      },
    });
    expect(
      detail.executions.map((each: { state: string; returnData: string }) => [each.state, each.returnData]),
    ).toEqual([
      ['failure', '0x0102'],
      ['success', `0x${Buffer.from(executions[1]!.returnData).toString('hex')}`],
    ]);
  });

  it('tell of a CCV that no verifier answers for that there is none, as far as they are known', async () => {
    const [first] = all;
    const known = { name: 'a', addresses: [padded(ccvs[0]!)], workers: [] };
    const missingWhere = async (verifiers: VerifierDirectory) => {
      const other = await startApi(storage, {}, {}, { verifiers: () => verifiers });
      const { text } = await other.get(`/v2/messages/${first!.messageId}`);
      await other.close();
      return JSON.parse(text).requiredCCVs.map(({ missing }: { missing: string | null }) => missing);
    };
    expect(await missingWhere({ list: async () => [known] })).toEqual([null, 'no-verifier']);
    expect(await missingWhere({ list: async () => [{ name: 'b', addresses: ccvs, workers: [] }] })).toEqual([
      null,
      'waiting',
    ]);
    expect(await missingWhere({ list: async () => [] })).toEqual([null, 'no-verifier']);
    expect(await missingWhere({ list: async () => null })).toEqual([null, 'waiting']);
  });

  it('are told by their transaction, with the executions made in it and their messages', async () => {
    const [first, second] = all;
    const { transactionHash } = second!.origin!;
    const sent = await get(`/v2/transactions/${transactionHash.slice(2).toUpperCase()}`);
    expect(sent).toMatchObject({ transactionHash, executions: [], position: expect.stringMatching(/^\d+$/) });
    expect(sent.messages).toMatchObject([{ messageId: second!.messageId, orphaned: true }]);
    const [, success] = executions;
    const made = await get(`/v2/transactions/${success!.place.transactionHash}`);
    expect(made).toMatchObject({
      messages: [],
      executions: [{ messageId: first!.messageId, state: 'success', message: { messageId: first!.messageId } }],
    });
    const strange = await get(`/v2/transactions/${executions[2]!.place.transactionHash}`);
    expect(strange.executions).toMatchObject([{ message: null }]);
    const { status, headers } = await api.get(`/v2/transactions/${make.hex(32)}`);
    expect([status, headers['content-type']]).toEqual([404, 'application/problem+json']);
  });

  it('promise 9: tell one that a reorg removed by its id, and in no list', async () => {
    const [, gone] = all;
    const detail = await get(`/v2/messages/${gone!.messageId}`);
    expect(detail).toMatchObject({ orphaned: true, requiredCCVs: [{ missing: 'orphaned' }, { missing: 'orphaned' }] });
    expect(await walk('order=oldest', 500)).not.toContain(gone!.messageId);
  });

  it('promise 4: come newest or oldest first, in pages of any size, under each filter', async () => {
    const listed = all.filter((_, index) => index !== 1);
    const idsOf = (keep: (message: ReturnType<typeof decodeMessage>) => boolean) =>
      listed.filter(({ encodedMessage }) => keep(decodeMessage(encodedMessage))).map(({ messageId }) => messageId);
    const { sender, receiver, messageNumber } = decodeMessage(listed[30]!.encodedMessage);
    const lists: [string, Hex[]][] = [
      ['', idsOf(() => true)],
      [`sender=${alice}`, idsOf((each) => each.sender === alice || each.sender === padded(alice))],
      [
        `sender=${sender},${alice.toUpperCase().replace('X', 'x')}`,
        idsOf((m) => [sender, alice, padded(alice)].includes(m.sender)),
      ],
      [`receiver=${receiver}`, idsOf((each) => each.receiver === receiver)],
      [`token=${token}`, idsOf((each) => each.tokenTransfer !== null)],
      [`source=${SELECTORS.max}`, idsOf((each) => each.sourceChainSelector === SELECTORS.max)],
      [`dest=${SELECTORS.low}`, []],
      [`fromNumber=${messageNumber}`, idsOf((each) => each.messageNumber >= messageNumber)],
      [`throughNumber=${messageNumber}`, idsOf((each) => each.messageNumber <= messageNumber)],
      ['status=timeout', all.slice(10, 15).map(({ messageId }) => messageId)],
      ['status=processing,timeout', idsOf(() => true)],
      ['status=success', []],
    ];
    for (const [parameters, expected] of lists) {
      for (const limit of [3, 500]) {
        expect(await walk(`${parameters}&order=oldest`, limit), parameters).toEqual(expected);
        expect(await walk(parameters, limit), parameters).toEqual(expected.toReversed());
      }
    }
  });

  it('say which position they show', async () => {
    const { position }: ListAnswer = await get('/v2/messages?limit=1');
    expect(BigInt(position)).toBe(storage.coverage().throughPosition);
  });

  it.each([
    ['/v2/messages?sender=alice', 400, 'bad sender: must be addresses (0x and hex) separated by commas'],
    ['/v2/messages?senders=0x', 400, 'unknown parameter "senders": this route has sender, receiver, token'],
    ['/v2/messages?fromNumber=18446744073709551616', 400, 'must be a message number, at most 18446744073709551615'],
    ['/v2/messages?cursor=x', 400, 'cursor is not one of ours'],
    ['/v2/messages?order=random', 400, 'must be newest or oldest'],
    ['/v2/messages?status=done', 400, 'bad status: must be processing, timeout, success'],
    [`/v2/messages/${make.hex(32)}`, 404, 'MessageID not found'],
    [`/v2/messages/${make.hex(32)}?x=1`, 400, 'unknown parameter "x": this route has none'],
    ['/v2/nothing', 404, 'not found'],
  ])('answer %s with the problem %i', async (path, status, detail) => {
    const answer = await api.get(path);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    const problem = JSON.parse(answer.text);
    expect(problem).toMatchObject({ type: 'about:blank', status, instance: answer.headers['x-request-id'] });
    expect(problem.detail).toContain(detail);
  });

  it('leave the errors of the first version as they are', async () => {
    const answer = await api.get('/v1/messages?start=x');
    expect(answer.headers['content-type']).toBe('application/json');
    expect(JSON.parse(answer.text)).toMatchObject({ success: false, status: 400 });
  });
});
