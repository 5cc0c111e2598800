import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { Body } from '../../../src/api/routes/answer.js';
import { createBodyMemory } from '../../../src/api/routes/body-memory.js';
import { messagesBody, verifierResultsBody, verifierResultsByIdAnswer } from '../../../src/api/v1/answers.js';
import { createFragments } from '../../../src/api/v1/fragment-cache.js';
import { messageEntryJson, verifierResultJson } from '../../../src/api/v1/record-json.js';
import { outlineOfResult } from '../../../src/model/outlines.js';
import type { StoredMessage, StoredVerifierResult, VerifierResult } from '../../../src/model/records.js';
import { createRecordMaker } from '../../support/records.js';

const renderer = {
  fragments: createFragments({ maxBytes: 1024 * 1024 }),
  memory: createBodyMemory({ maxIdleBytes: 0 }),
  contents: {
    message: () => Promise.reject(new Error('no outline was given')),
    verifierResult: () => Promise.reject(new Error('no outline was given')),
  },
};
const maker = createRecordMaker(11);
let position = 0n;

function store(result: VerifierResult): StoredVerifierResult {
  position += 1n;
  const stamp = { ingestionMs: 1_760_000_000_000 + Number(position), position, firstMs: 0, orphaned: false };
  return { ...result, ...stamp, verdict: result.verdict ?? null };
}

const textOf = async (made: Body | Promise<Body>): Promise<string> => {
  const body = await made;
  return (Buffer.isBuffer(body) ? body : await buffer(body)).toString('utf8');
};

describe('answers', () => {
  it('are constant when there is nothing', async () => {
    expect(await textOf(verifierResultsBody([], renderer))).toBe('{"success":true,"verifierResults":{}}');
    expect(await textOf(messagesBody([], renderer))).toBe('{"success":true,"messages":{}}');
    const { body } = await verifierResultsByIdAnswer('0x00', [], renderer);
    expect(await textOf(body)).toBe('{"success":true,"results":[],"messageID":"0x00"}');
  });

  it('group the results of a message where its first one stands', async () => {
    const [a, b] = [maker.message({ ccvs: [maker.hex(20), maker.hex(20)] }), maker.message()];
    const [a0, b0, a1] = [maker.result(a, 0), maker.result(b, 0), maker.result(a, 1)].map(store) as [
      StoredVerifierResult,
      StoredVerifierResult,
      StoredVerifierResult,
    ];
    expect(await textOf(verifierResultsBody([b0, a0, a1], renderer))).toBe(
      `{"success":true,"verifierResults":{"${b.messageId}":[${verifierResultJson(b0)}],` +
        `"${a.messageId}":[${verifierResultJson(a0)},${verifierResultJson(a1)}]}}`,
    );
    expect(await textOf(verifierResultsBody([a0, b0, a1], renderer))).toBe(
      `{"success":true,"verifierResults":{"${a.messageId}":[${verifierResultJson(a0)},${verifierResultJson(a1)}],` +
        `"${b.messageId}":[${verifierResultJson(b0)}]}}`,
    );
    const { body } = await verifierResultsByIdAnswer(a.messageId, [a0, a1], renderer);
    expect(await textOf(body)).toBe(
      `{"success":true,"results":[${verifierResultJson(a0)},${verifierResultJson(a1)}],"messageID":"${a.messageId}"}`,
    );
  });

  it('list messages by id in list order', async () => {
    const stored = [maker.message(), maker.message()].map((message, index): StoredMessage => {
      position += 1n;
      return { ...message, status: 'success', ingestionMs: index, position, firstMs: 0, orphaned: false };
    }) as [StoredMessage, StoredMessage];
    expect(await textOf(messagesBody(stored, renderer))).toBe(
      `{"success":true,"messages":{"${stored[0].messageId}":${messageEntryJson(stored[0])},` +
        `"${stored[1].messageId}":${messageEntryJson(stored[1])}}}`,
    );
  });

  it('keep characters of verifier names that take several bytes', async () => {
    const record = store(maker.result(maker.message(), 0, { verifierName: 'комитет 委員会' }));
    const text = await textOf(verifierResultsBody([record], renderer));
    expect(JSON.parse(text).verifierResults[record.messageId][0].metadata.verifierName).toBe('комитет 委員会');
  });

  it('have the contents of outlines in any place, read when their turn comes', async () => {
    const records = maker.results(3).map(store);
    const contents = { ...renderer.contents, verifierResult: async () => records[1]! };
    const outlined = [records[0]!, outlineOfResult(records[1]!), records[2]!];
    expect(await textOf(verifierResultsBody(outlined, { ...renderer, contents }))).toBe(
      await textOf(verifierResultsBody(records, renderer)),
    );
    await expect(textOf(verifierResultsBody(outlined, renderer))).rejects.toThrow('no outline was given');
  });

  it('of many megabytes are streamed, with the same bytes', async () => {
    const records = maker.results(12, { ccvDataBytes: 1024 * 1024 }).map(store);
    const body = await verifierResultsBody(records, renderer);
    expect(body).toBeInstanceOf(Readable);
    const expected = records.map((record) => `"${record.messageId}":[${verifierResultJson(record)}]`).join(',');
    expect((await textOf(body)) === `{"success":true,"verifierResults":{${expected}}}`).toBe(true);
  });
});
