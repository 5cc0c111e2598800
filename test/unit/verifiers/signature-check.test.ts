import { describe, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { AbortedError } from '../../../src/core/errors.js';
import { nextTurn } from '../../../src/core/event-loop.js';
import {
  type CommitteeReader,
  type CommitteeReading,
  CommitteeUnreadableError,
} from '../../../src/protocol/committee-reading.js';
import { COMMITTEE_TAG } from '../../../src/protocol/signatures.js';
import { createJudgedReader } from '../../../src/verifiers/judged-reader.js';
import { createSignatureCheck } from '../../../src/verifiers/signature-check.js';
import { VerifierResultRejectedError } from '../../../src/verifiers/verifier-errors.js';
import { MEMBERS, STRANGER, signed } from '../../support/chain/committee-proofs.js';
import { createScriptedReader } from '../../support/indexer/scripted-reader.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createRecordMaker } from '../../support/records.js';

const make = createRecordMaker(3);
const clock = createManualClock();

const committee = (threshold: number, block: bigint): CommitteeReading => ({
  ...{ kind: 'committee', block },
  committee: { tag: COMMITTEE_TAG, signers: MEMBERS.map(({ address }) => address), threshold },
});

/** A check over readings by freshness; those that were asked for are listed. */
function checkOver(read: CommitteeReader['read']) {
  const common = createCommon({ clock });
  const asked: string[] = [];
  const committees: CommitteeReader = {
    read(question, freshness) {
      asked.push(freshness);
      return read(question, freshness);
    },
  };
  const check = createSignatureCheck({ committees, common });
  const counts = async () => {
    const metric = await common.metrics.getSingleMetric('indexer_signature_verdicts_total')?.get();
    return Object.fromEntries((metric?.values ?? []).map(({ labels, value }) => [labels['verdict'], value]));
  };
  return { check, asked, counts };
}

async function resultBy(keys: typeof MEMBERS) {
  const message = make.message();
  return { ...make.result(message), ccvData: await signed(keys, COMMITTEE_TAG, message.messageId) };
}

describe('a check of signatures', () => {
  it('takes a valid result on a recent reading, and condemns none on it', async () => {
    const result = await resultBy(MEMBERS.slice(0, 2));
    const changed = checkOver(async (_, freshness) => (freshness === 'now' ? committee(2, 9n) : committee(3, 8n)));
    expect(await changed.check.check(result, 'require')).toMatchObject({
      ...{ kind: 'taken', result: { verdict: { verdict: 'valid', configBlock: 9n } } },
    });
    expect(changed.asked).toEqual(['recent', 'now']);
    const same = checkOver(async () => committee(2, 8n));
    expect(await same.check.check(result, 'record')).toMatchObject({ result: { verdict: { configBlock: 8n } } });
    expect(same.asked).toEqual(['recent']);
  });

  it('stores an invalid result with its verdict under record, refuses it under require, and counts it', async () => {
    const result = await resultBy([STRANGER]);
    const { check, counts } = checkOver(async () => committee(1, 5n));
    expect(await check.check(result, 'record')).toEqual({
      ...{ kind: 'taken', result: { ...result, verdict: { verdict: 'invalid', configBlock: 5n } } },
    });
    const refused = await check.check(result, 'require');
    expect(refused).toMatchObject({ kind: 'refused', reason: 'signatures' });
    expect(await counts()).toEqual({ invalid: 2 });
  });

  it('takes under require as well what no rules are known for', async () => {
    const result = await resultBy(MEMBERS);
    const { check } = checkOver(async () => ({ kind: 'foreign', block: 7n, reason: 'verifier is a CCTPVerifier' }));
    const verdict = { verdict: 'unsupported', configBlock: 7n };
    expect(await check.check(result, 'require')).toEqual({ kind: 'taken', result: { ...result, verdict } });
  });

  it('has no rules of chains without EVM contracts, and asks nobody about them', async () => {
    const solana = 124_615_329_519_749_607n;
    const result = make.result(make.message({ destChainSelector: solana }));
    const { check, asked } = checkOver(async () => null);
    const verdict = { verdict: 'unsupported', configBlock: 0n };
    expect(await check.check(result, 'require')).toEqual({ kind: 'taken', result: { ...result, verdict } });
    expect(asked).toEqual([]);
  });

  it('judges one proof in a turn of the event loop', async () => {
    const results = await Promise.all(Array.from({ length: 40 }, () => resultBy(MEMBERS.slice(0, 2))));
    const { check } = checkOver(async () => committee(2, 8n));
    let turns = 0;
    let isOver = false;
    const counting = (async () => {
      for (; !isOver; turns += 1) await nextTurn();
    })();
    await Promise.all(results.map((result) => check.check(result, 'record')));
    isOver = true;
    await counting;
    expect(turns).toBeGreaterThanOrEqual(results.length);
  });

  it('waits for no node longer than its bound, and not at all after an abort', async () => {
    const result = await resultBy(MEMBERS);
    const { check, counts } = checkOver(() => new Promise(() => undefined));
    const recorded = check.check(result, 'record');
    const required = check.check(result, 'require');
    await clock.advance(5_000);
    expect(await recorded).toEqual({ kind: 'taken', result });
    expect(await required).toMatchObject({ kind: 'unjudged' });
    expect(await counts()).toEqual({ unjudged: 2 });
    const abort = new AbortController();
    const aborted = check.check(result, 'require', abort.signal);
    abort.abort();
    await expect(aborted).rejects.toThrow(AbortedError);
    await clock.advance(5_000);
    expect(clock.pending).toBe(0);
  });
});

describe('a reader whose results are judged', () => {
  const reader = createScriptedReader({ name: 'a', issuerAddresses: ['0xaa'] });
  const unreadable = new CommitteeUnreadableError('dest', 'away');

  it('gives them with their verdict, rejects those that do not hold with their proof, and leaves others for later', async () => {
    const [good, bad] = [await resultBy(MEMBERS.slice(0, 2)), await resultBy([STRANGER])];
    let isAway = false;
    const { check } = checkOver(async () => {
      if (isAway) throw unreadable;
      return committee(2, 4n);
    });
    const judged = createJudgedReader(reader, 'require', check);
    reader.answer = (messageId) => (messageId === good.messageId ? good : messageId === bad.messageId ? bad : null);
    expect(await judged.read(good.messageId)).toMatchObject({ verdict: { verdict: 'valid' } });
    expect(await judged.read('0x00')).toBe(null);
    const rejection = await judged.read(bad.messageId).catch((thrown: unknown) => thrown);
    expect(rejection).toBeInstanceOf(VerifierResultRejectedError);
    expect(rejection).toMatchObject({ reason: 'signatures', messageId: bad.messageId, raw: bad.ccvData });
    isAway = true;
    await expect(judged.read(good.messageId)).rejects.toBe(unreadable);
    await expect(createJudgedReader(reader, 'record', check).read(good.messageId)).resolves.toEqual(good);
  });
});
