import type { Clock } from '../core/clock.js';
import type { Common } from '../core/common.js';
import { AbortedError } from '../core/errors.js';
import { nextTurn } from '../core/event-loop.js';
import { bytesToHex } from '../core/hex.js';
import { counter } from '../core/metrics.js';
import { createRareWarning } from '../core/rare-warning.js';
import { createTurns } from '../core/turns.js';
import { readLane } from '../model/payload.js';
import { foreignFamilyOf } from '../protocol/chain-selectors.js';
import {
  type CommitteeQuestion,
  type CommitteeReader,
  type CommitteeReading,
  CommitteeUnreadableError,
  type Freshness,
} from '../protocol/committee-reading.js';
import type { SignatureVerdict, VerifierResult } from '../protocol/records.js';
import { verifyCommitteeProof } from '../protocol/signatures.js';
import { canonicalAddress } from './address.js';
import type { RejectReason } from './verifier-errors.js';

/** `record`: a result is taken with its verdict · `require`: one whose signatures do not hold is refused. */
export type SignatureMode = 'off' | 'record' | 'require';

/**
 * A result once its signatures were looked at.
 * - `taken`: with its verdict, where there is one · `refused`: its signatures do not hold, or can never be judged
 * - `unjudged`: they cannot be judged now
 */
export type JudgedResult =
  | { readonly kind: 'taken'; readonly result: VerifierResult }
  | { readonly kind: 'refused'; readonly reason: RejectReason; readonly detail: string }
  | { readonly kind: 'unjudged'; readonly error: CommitteeUnreadableError };

/** Judges the signatures of results by the rules of their destination chains. */
export interface SignatureCheck {
  /**
   * Waits for nodes at most twice, 5 s each, whatever they do. A verdict other than `valid` rests on a configuration
   * that was read, or looked after, since the call: a committee that changed a moment ago condemns no result.
   * @throws AbortedError as soon as `signal` aborts.
   */
  check(result: VerifierResult, mode: SignatureMode, signal?: AbortSignal): Promise<JudgedResult>;
}

/** Bounds the wait for the nodes of one destination. */
const WAIT_MS = 5_000;
const TAG_BYTES = 4;

type Verdict = SignatureVerdict & { readonly detail: string };

/** Creates the check of a process. Proofs are judged one in a turn of the event loop. */
export function createSignatureCheck(parts: {
  readonly committees: CommitteeReader;
  readonly common: Common;
}): SignatureCheck {
  const { committees, common } = parts;
  const turns = createTurns(1);
  const warn = createRareWarning(common);
  const verdicts = counter(common.metrics, {
    name: 'indexer_signature_verdicts_total',
    help:
      'Verdicts on the signatures of verifier results, each time that one came: valid, invalid, unsupported (rules ' +
      'not known here), unjudged (no node of the destination answered, or it has no [[Chain]])',
    labelNames: ['verifier', 'verdict'],
  });

  const verdictOf = (reading: CommitteeReading, result: VerifierResult) =>
    turns.run(async () => {
      // a page of results must not keep requests waiting
      await nextTurn();
      return await verdictBy(reading, result);
    });

  /** Null: no node of the destination is known. */
  async function judge(result: VerifierResult, signal: AbortSignal | undefined): Promise<Verdict | null> {
    const question = questionOf(result);
    const family = foreignFamilyOf(question.destChainSelector);
    if (family !== null) return { verdict: 'unsupported', configBlock: 0n, detail: `of a ${family} chain` };
    const read = (freshness: Freshness) =>
      inTime(committees.read(question, freshness), String(question.destChainSelector), common.clock, signal);
    const recent = await read('recent');
    if (recent === null) return null;
    const verdict = await verdictOf(recent, result);
    if (verdict.verdict === 'valid') return verdict;
    const now = await read('now');
    return now === null || now === recent ? verdict : await verdictOf(now, result);
  }

  return {
    async check(result, mode, signal) {
      if (mode === 'off') return { kind: 'taken', result };
      const { verifierName: verifier, messageId } = result;
      const isRequired = mode === 'require';
      const destChainSelector = String(readLane(result.encodedMessage).destChainSelector);
      try {
        const found = await judge(result, signal);
        verdicts.inc({ verifier, verdict: found?.verdict ?? 'unjudged' });
        if (found === null) {
          warn({ verifier, messageId, destChainSelector, mode }, 'signatures to a chain without a [[Chain]] table');
          const detail = `no [[Chain]] has the selector ${destChainSelector} of its destination`;
          return isRequired ? { kind: 'refused', reason: 'unknown_destination', detail } : { kind: 'taken', result };
        }
        const { verdict, configBlock, detail } = found;
        if (isRequired && verdict === 'invalid') return { kind: 'refused', reason: 'signatures', detail };
        return { kind: 'taken', result: { ...result, verdict: { verdict, configBlock } } };
      } catch (thrown) {
        if (!(thrown instanceof CommitteeUnreadableError)) throw thrown;
        verdicts.inc({ verifier, verdict: 'unjudged' });
        warn({ verifier, messageId, destChainSelector, mode, err: thrown }, 'signatures cannot be judged now');
        return isRequired ? { kind: 'unjudged', error: thrown } : { kind: 'taken', result };
      }
    },
  };
}

function questionOf({ encodedMessage, verifierDestAddress, ccvData }: VerifierResult): CommitteeQuestion {
  const { sourceChainSelector, destChainSelector } = readLane(encodedMessage);
  const tag = bytesToHex(ccvData.subarray(0, TAG_BYTES));
  return { sourceChainSelector, destChainSelector, resolver: canonicalAddress(verifierDestAddress), tag };
}

async function verdictBy(reading: CommitteeReading, { messageId, ccvData }: VerifierResult): Promise<Verdict> {
  const { block: configBlock } = reading;
  if (reading.kind !== 'committee') {
    const verdict = reading.kind === 'refused' ? 'invalid' : 'unsupported';
    return { verdict, configBlock, detail: reading.reason };
  }
  const { committee } = reading;
  const { threshold, signers } = committee;
  const detail = `ccv_data: lacks ${threshold} signatures of ${signers.length} signers as of block ${configBlock}`;
  return { verdict: await verifyCommitteeProof(messageId, ccvData, committee), configBlock, detail };
}

/** @throws CommitteeUnreadableError after the time, AbortedError. */
function inTime<T>(work: Promise<T>, chain: string, clock: Clock, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new AbortedError('the judging of signatures'));
    const cancel = clock.after(WAIT_MS, () =>
      reject(new CommitteeUnreadableError(chain, `no answer in ${WAIT_MS} ms`)),
    );
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    const end = () => {
      cancel();
      signal?.removeEventListener('abort', abort);
    };
    work.finally(end).then(resolve, reject);
  });
}
