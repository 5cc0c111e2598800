import { describe, expect, it } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import { JsonBoundsError } from '../../../src/protocol/json-bounds.js';
import { canonicalAddress } from '../../../src/verifiers/address.js';
import { readRestAnswer } from '../../../src/verifiers/rest-response.js';
import { VerifierResultRejectedError, VerifierUnavailableError } from '../../../src/verifiers/verifier-errors.js';
import { resultJson } from '../../support/indexer/verifier-server.js';
import { createRecordMaker } from '../../support/records.js';

const make = createRecordMaker(11);
const result = make.result(make.message({ ccvs: [make.hex(20)] }), 0, { verifierName: 'committee' });
const id = result.messageId;
const context = {
  verifierName: 'committee',
  issuers: new Set<Hex>([canonicalAddress(result.verifierSourceAddress)]),
  nowMs: 1_800_000_000_000,
};

describe('a hostile answer', () => {
  it('of very many results is refused before any of them is looked at', () => {
    const body = `{"results":[${Array(200_000).fill('{}').join(',')}]}`;
    expect(() => readRestAnswer(body, [id], context)).toThrow(VerifierUnavailableError);
  });

  it.each([
    ['deep nesting', 'malformed', `{"results":[],"errors":[${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}]}`],
    ['an integer of a million digits', 'malformed', `{"results":[{"message":{"amount":${'9'.repeat(1_000_000)}}}]}`],
    ['millions of values', 'response-too-large', `{"results":[],"errors":[${'0,'.repeat(2_000_000)}0]}`],
    ['hundreds of thousands of names', 'response-too-large', `{"results":[{${'"a":0,'.repeat(300_000)}"z":0}]}`],
  ])('of %s is refused as %s, unparsed', (_, kind, body) => {
    expect(() => readRestAnswer(body, [id], context)).toThrow(
      expect.objectContaining({ kind, cause: expect.any(JsonBoundsError) }),
    );
  });

  it('of a rejected result with millions of escapes is kept as evidence', () => {
    const junk = `{"junk":"${'\\n'.repeat(10_000_000)}"}`;
    const answer = readRestAnswer(`{"results":[${junk}, ${resultJson(result)}]}`, [id], context);
    expect(answer.outcomes.get(id)?.ok).toBe(true);
    expect(answer.strays[0]?.raw).toHaveLength(junk.length);
  });

  it('of some junk does not hide the good result behind it, and each piece is kept as evidence', () => {
    const junk = Array.from({ length: 50 }, (_, index) => `{"junk": ${index}}`);
    const answer = readRestAnswer(`{"results":[${[...junk, resultJson(result)].join(' , ')}]}`, [id], context);
    expect(answer.outcomes.get(id)).toMatchObject({ ok: true, value: { messageId: id } });
    expect(answer.strays.map(({ raw }) => Buffer.from(raw).toString())).toEqual(junk);
  });

  it('with too much ccv_data is quarantined without most of its bytes (promise 10)', () => {
    const large = resultJson({ ...result, ccvData: make.bytes(40_000) });
    const body = `{"results":[${large}]}`;
    const outcome = readRestAnswer(body, [id], { ...context, maxCCVDataBytes: 20_000 }).outcomes.get(id);
    const error = outcome?.ok === false ? (outcome.error as VerifierResultRejectedError) : null;
    expect(error).toMatchObject({ reason: 'ccv_data_size', messageId: id });
    expect(Buffer.from(error!.raw).toString()).toBe(large.slice(0, 4_096));
    expect(readRestAnswer(body, [id], context).outcomes.get(id)?.ok).toBe(true);
  });

  it('whose errors are no texts is read all the same', () => {
    const deep = `${'['.repeat(50)}${']'.repeat(50)}`;
    const body = `{"results":[${resultJson(result)}],"errors":[{"toString":1,"valueOf":1},${deep},null,"plain"]}`;
    const answer = readRestAnswer(body, [id], context);
    expect(answer.outcomes.get(id)?.ok).toBe(true);
    expect(answer.errors).toEqual(['(no text but object)', '(no text but object)', '(no text but null)', 'plain']);
  });

  it('with the evidence of a rejected result keeps its bytes as they came', () => {
    const body = `{"results":[null, ${resultJson(result).replace('"timestamp":', '"timestamp": -')}]}`;
    const outcome = readRestAnswer(body, [id], context).outcomes.get(id);
    const error = outcome?.ok === false ? outcome.error : null;
    expect(error).toBeInstanceOf(VerifierResultRejectedError);
    expect(Buffer.from((error as VerifierResultRejectedError).raw).toString()).toContain('"timestamp": -');
  });
});
