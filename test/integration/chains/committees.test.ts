import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import { CommitteeUnreadableError } from '../../../src/protocol/committee-reading.js';
import { COMMITTEE_TAG } from '../../../src/protocol/signatures.js';
import { MEMBERS, STRANGER, signed } from '../../support/chain/committee-proofs.js';
import {
  DEST,
  type JudgedChain,
  OTHER_SOURCE,
  openJudgedChain,
  QUORUM,
  SOURCE,
} from '../../support/chain/judged-chain.js';

const OTHER_TAG: Hex = '0x49ff34ed';

let judged: JudgedChain;

beforeAll(async () => {
  judged = await openJudgedChain();
});
afterAll(() => judged?.close());
beforeEach(() => {
  judged.proxy.onCall = null;
  // a failure and a reading of the test before are no news
  judged.skip(10_000);
});

describe('a committee that changes', () => {
  it('is followed by the events of its contracts', async () => {
    const two = await signed(MEMBERS.slice(0, 2));
    const three = await signed(MEMBERS.slice(0, 3));
    expect(await judged.bothSay({ ccvData: two })).toBe(true);
    const reads = judged.proxy.count('eth_call');

    await judged.chain.setQuorum(judged.verifier, SOURCE, { ...QUORUM, threshold: 3 });
    judged.skip(3_000);
    expect(await judged.bothSay({ ccvData: two })).toBe(false);
    expect(await judged.bothSay({ ccvData: three })).toBe(true);
    expect(judged.proxy.count('eth_call') - reads).toBe(4);

    await judged.chain.setQuorum(judged.verifier, SOURCE, { signers: QUORUM.signers.slice(1), threshold: 2 });
    judged.skip(3_000);
    expect(await judged.bothSay({ ccvData: three })).toBe(false);
    expect(await judged.bothSay({ ccvData: await signed(MEMBERS.slice(1, 3)) })).toBe(true);

    await judged.chain.setQuorum(judged.verifier, SOURCE, null);
    judged.skip(3_000);
    expect(await judged.bothSay({ ccvData: await signed(MEMBERS.slice(1, 3)) })).toBe(false);

    await judged.chain.setQuorum(judged.verifier, SOURCE, QUORUM);
    // a moment later: a proof is condemned by nothing older than itself
    expect(await judged.bothSay({ ccvData: two })).toBe(true);
  });

  it('is followed when its resolver, or the proxy before it, leads elsewhere', async () => {
    const second = await judged.chain.deployVerifier(COMMITTEE_TAG);
    await judged.chain.setQuorum(second, SOURCE, { signers: [STRANGER.address], threshold: 1 });
    const { proxy: moving, resolver } = await judged.chain.deployResolver({ [COMMITTEE_TAG]: judged.verifier });
    const byMembers = { ccvData: await signed(MEMBERS.slice(0, 2)), resolver: moving };
    const byStranger = { ccvData: await signed([STRANGER]), resolver: moving };
    const say = async () => {
      judged.skip(3_000);
      return [await judged.bothSay(byMembers), await judged.bothSay(byStranger)];
    };
    expect(await say()).toEqual([true, false]);
    const updates = [[{ version: COMMITTEE_TAG, verifier: second }]];
    await judged.chain.change((plan) =>
      plan.call('versioned_verifier_resolver', resolver, 'applyInboundImplementationUpdates', updates),
    );
    expect(await say()).toEqual([false, true]);
    await judged.chain.change((plan) => plan.call('proxy', moving, 'setTarget', [judged.ccv.resolver]));
    expect(await say()).toEqual([true, false]);
  });

  it('is read again at intervals where a node serves no logs', async () => {
    judged.proxy.onCall = async ({ method }, forward) =>
      method === 'eth_getLogs' ? { error: { code: -32601, message: 'no such method' } } : await forward();
    const two = await signed(MEMBERS.slice(0, 2));
    expect(await judged.bothSay({ ccvData: two })).toBe(true);
    await judged.chain.setQuorum(judged.verifier, SOURCE, { ...QUORUM, threshold: 3 });
    judged.skip(20_000);
    expect(await judged.bothSay({ ccvData: two })).toBe(false);
    await judged.chain.setQuorum(judged.verifier, SOURCE, QUORUM);
    expect(await judged.bothSay({ ccvData: two })).toBe(true);
  });
});

describe('the reader of committees', () => {
  const question = () => ({
    ...{ sourceChainSelector: SOURCE, destChainSelector: DEST, resolver: judged.ccv.proxy, tag: COMMITTEE_TAG },
  });

  it('asks once for many askers', async () => {
    judged.skip(600_000);
    const before = judged.proxy.requests.length;
    const readings = await Promise.all(Array.from({ length: 50 }, () => judged.reader.read(question(), 'recent')));
    expect(new Set(readings).size).toBe(1);
    expect(readings[0]).toMatchObject({ kind: 'committee', committee: QUORUM });
    expect(judged.proxy.requests.length - before).toBeLessThan(10);
    const after = judged.proxy.requests.length;
    await judged.reader.read(question(), 'recent');
    expect(judged.proxy.requests.length).toBe(after);
  });

  it('tells verifiers of other kinds, and chains that it does not know', async () => {
    const { proxy: resolver } = await judged.chain.deployResolver({ [COMMITTEE_TAG]: judged.ccv.resolver });
    expect(await judged.judge({ ccvData: await signed(MEMBERS), resolver })).toMatchObject({ verdict: 'unsupported' });
    expect(await judged.reader.read({ ...question(), destChainSelector: 1n }, 'recent')).toBe(null);
    expect(await judged.judge({ ccvData: await signed(MEMBERS), dest: OTHER_SOURCE })).toBe(null);
  });

  it('knows a revert of a node that gives it the code of any failure, and a failure from a revert', async () => {
    judged.proxy.onCall = async (_, forward) => {
      const answer = await forward();
      return 'error' in answer ? { error: { code: -32_000, message: 'execution failed' } } : answer;
    };
    expect(await judged.judge({ ccvData: await signed(MEMBERS), resolver: judged.verifier })).toMatchObject({
      verdict: 'invalid',
    });
    judged.proxy.onCall = async ({ method }, forward) =>
      method === 'eth_call' ? { error: { code: -32_000, message: 'header not found' } } : await forward();
    const unread = { ...question(), tag: OTHER_TAG };
    await expect(judged.reader.read(unread, 'recent')).rejects.toThrow(CommitteeUnreadableError);
  });

  it('holds a result back under require, and not under record, while no node answers', async () => {
    judged.proxy.onCall = async () => ({ error: { code: -32_000, message: 'down' } });
    const result = judged.resultOf({ ccvData: await signed(MEMBERS), source: OTHER_SOURCE });
    expect(await judged.check.check(result, 'record')).toEqual({ kind: 'taken', result });
    expect(await judged.check.check(result, 'require')).toMatchObject({ kind: 'unjudged' });
    judged.proxy.onCall = null;
    judged.skip(10_000);
    expect(await judged.check.check(result, 'require')).toMatchObject({ kind: 'refused', reason: 'signatures' });
    const elsewhere = judged.resultOf({ ccvData: await signed(MEMBERS), dest: OTHER_SOURCE });
    expect(await judged.check.check(elsewhere, 'require')).toMatchObject({
      kind: 'refused',
      reason: 'unknown_destination',
    });
    expect(await judged.check.check(elsewhere, 'off')).toEqual({ kind: 'taken', result: elsewhere });
  });
});
