import { expect } from 'vitest';
import {
  type ClosableCommitteeReader,
  createCommitteeReader,
} from '../../../src/chains/committees/committee-reader.js';
import { createRpcPool } from '../../../src/chains/rpc/rpc-pool.js';
import { type Clock, systemClock } from '../../../src/core/clock.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import type { SignatureVerdict, VerifierResult } from '../../../src/protocol/records.js';
import { COMMITTEE_TAG } from '../../../src/protocol/signatures.js';
import { createSignatureCheck, type SignatureCheck } from '../../../src/verifiers/signature-check.js';
import { createRecordMaker } from '../records.js';
import { type CommitteeChain, startCommitteeChain } from './committee-chain.js';
import { MEMBERS, MESSAGE_ID } from './committee-proofs.js';
import { type RpcProxy, startRpcProxy } from './rpc-proxy.js';

export const SOURCE = 3_379_446_385_462_418_246n;
export const OTHER_SOURCE = 5_009_297_550_715_157_269n;
export const DEST = 7_759_470_850_252_068_959n;
/** Whose signatures the CCV takes of messages from `SOURCE`. */
export const QUORUM = { signers: MEMBERS.map(({ address }) => address), threshold: 2 };

/** A proof, and the message and contract that it is for; by default a message from `SOURCE` to the CCV at `DEST`. */
export interface Proof {
  readonly ccvData: Uint8Array;
  readonly messageId?: Hex;
  readonly source?: bigint;
  readonly dest?: bigint;
  readonly resolver?: Hex;
}

/** A destination chain with one CCV, and the judge of proofs to it. */
export interface JudgedChain {
  readonly chain: CommitteeChain;
  /** Between the judge and the node. */
  readonly proxy: RpcProxy;
  readonly verifier: Hex;
  readonly ccv: { readonly proxy: Hex; readonly resolver: Hex };
  readonly reader: ClosableCommitteeReader;
  readonly check: SignatureCheck;
  /** Lets time pass for the judge. */
  skip(durationMs: number): void;
  resultOf(proof: Proof): VerifierResult;
  judge(proof: Proof): Promise<SignatureVerdict | null>;
  /** Asks the contract and the judge, expects the same of both, and tells whether the proof is taken. */
  bothSay(proof: Proof): Promise<boolean>;
  close(): Promise<void>;
}

export async function openJudgedChain(): Promise<JudgedChain> {
  const chain = await startCommitteeChain();
  const proxy = await startRpcProxy(chain.url);
  const common = createCommon();
  const pool = createRpcPool({ chainName: 'dest', urls: [proxy.url], chainId: chain.chainId, cooldownMs: 0, common });
  const verifier = await chain.deployVerifier(COMMITTEE_TAG);
  const ccv = await chain.deployResolver({ [COMMITTEE_TAG]: verifier });
  await chain.setQuorum(verifier, SOURCE, QUORUM);

  let skippedMs = 0;
  /** The machine's clock without waits and without limits: pauses are skipped. */
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => systemClock.monotonicMs() + skippedMs,
    sleep: async (durationMs) => {
      skippedMs += durationMs;
    },
    after: () => () => undefined,
  };
  const skipping = createCommon({ clock });
  const destinations = [{ name: 'dest', selector: DEST, rpc: pool }];
  const reader = createCommitteeReader({ destinations, common: skipping });
  const check = createSignatureCheck({ committees: reader, common: skipping });
  const maker = createRecordMaker(12);

  function resultOf({ ccvData, messageId = MESSAGE_ID, source = SOURCE, dest = DEST, resolver = ccv.proxy }: Proof) {
    const message = maker.message({ sourceChainSelector: source, destChainSelector: dest });
    return { ...maker.result(message, 0, { ccvData, dest: resolver }), messageId };
  }

  async function judge(proof: Proof): Promise<SignatureVerdict | null> {
    const judged = await check.check(resultOf(proof), 'record');
    return judged.kind === 'taken' ? (judged.result.verdict ?? null) : null;
  }

  return {
    ...{ chain, proxy, verifier, ccv, reader, check, resultOf, judge },
    skip(durationMs) {
      skippedMs += durationMs;
    },
    async bothSay(proof) {
      const { ccvData, messageId = MESSAGE_ID, source: sourceChainSelector = SOURCE, resolver = ccv.proxy } = proof;
      const accepted = await chain.accepts({ resolver, sourceChainSelector, messageId, ccvData });
      const verdict = (await judge(proof))?.verdict;
      expect(verdict, Buffer.from(ccvData).toString('hex')).toBe(accepted ? 'valid' : 'invalid');
      return accepted;
    },
    async close() {
      reader.close();
      await pool.close();
      await proxy.close();
      await chain.stop();
    },
  };
}
