import type { CallAnswer, ExecuteCalls, NoCallReason } from '../../chains/calls/execute-calls.js';
import type { Hex } from '../../core/hex.js';
import type { Execution, StoredMessage, StoredVerifierResult, VerifierResult } from '../../model/records.js';
import { CCVDataNotFoundError, MessageNotFoundError } from '../../model/storage-errors.js';
import { isDiscoveryOnly } from '../../protocol/discovery-only.js';
import type { ExecuteCall } from '../../protocol/execute-call.js';
import type { Storage } from '../../storage/storage.js';
import { canonicalAddress } from '../../verifiers/address.js';
import type { LaneCCVs } from './lane-ccvs.js';
import { matchCCVs } from './match-ccvs.js';

/**
 * - `recovered`: the verification was taken from the call · `known`: it is stored already, whatever its bytes
 * - `unmatched`: the address of its CCV on the source chain is not certain · `no_proof`: its bytes prove nothing
 * - `message_unknown`: the message is not stored, so its CCVs are not known
 * - else, why the call of the execution is not known
 */
export type RecoveryOutcome = 'recovered' | 'known' | 'unmatched' | 'no_proof' | 'message_unknown' | NoCallReason;

/** The verifications of one execution. */
export interface Recovered {
  readonly execution: Execution;
  readonly verifierResults: readonly VerifierResult[];
  /** Of each verification; of the execution, where its call or message is not known. */
  readonly outcomes: readonly RecoveryOutcome[];
  /** Another attempt may tell more: a node was away, or another execution told of the CCV. */
  readonly passing: boolean;
}

/** The parts of recovering. */
export interface RecoverOptions {
  readonly storage: Pick<Storage, 'getMessage' | 'getCCVData' | 'queryCCVData'>;
  readonly calls: ExecuteCalls;
  readonly lanes: LaneCCVs;
}

/**
 * Recovers the verifications that a successful execution carried and that are not stored. One that is stored stays as
 * it is: a verifier may have given more signatures than the executor sent, which is no conflict.
 * @throws RpcError, the storage's errors
 */
export async function recoverVerifications(
  execution: Execution,
  { storage, calls, lanes }: RecoverOptions,
  signal: AbortSignal,
): Promise<Recovered> {
  const { messageId } = execution;
  const message = await orNull(storage.getMessage(messageId));
  if (message === null) return nothing(execution, 'message_unknown', true);
  const stored = (await orNull(storage.getCCVData(messageId))) ?? [];
  if (isComplete(message, stored)) return nothing(execution, 'known', false);
  const answer: CallAnswer = await calls.find(execution, signal);
  if (answer.kind === 'none') return nothing(execution, answer.reason, answer.passing);
  const lane = await lanes.of(execution, signal);
  lanes.noteStored(lane, stored);
  const matches = matchCCVs({
    sources: message.messageCCVAddresses.map(canonicalAddress),
    dests: answer.call.proofs.map(({ ccv }) => ccv),
    known: (dest) => lane.pairs.get(dest) ?? new Set(),
    ofLane: lane.set,
  });
  for (const [dest, source] of matches) lanes.note(lane, dest, source);
  return read(execution, message, stored, answer.call, matches);
}

function read(
  execution: Execution,
  message: StoredMessage,
  stored: readonly StoredVerifierResult[],
  { proofs }: ExecuteCall,
  matches: ReadonlyMap<Hex, Hex>,
): Recovered {
  const { messageId, encodedMessage, messageCCVAddresses, messageExecutorAddress } = message;
  const verifierResults: VerifierResult[] = [];
  const outcomes: RecoveryOutcome[] = [];
  for (const { ccv, ccvData } of proofs) {
    const matched = matches.get(ccv);
    const source = messageCCVAddresses.find((address) => canonicalAddress(address) === matched);
    const isStored = stored.some((result) => canonicalAddress(result.verifierDestAddress) === ccv);
    const outcome = isStored ? 'known' : isDiscoveryOnly(ccvData) ? 'no_proof' : source ? 'recovered' : 'unmatched';
    outcomes.push(outcome);
    if (outcome !== 'recovered' || source === undefined) continue;
    verifierResults.push({
      ...{ messageId, encodedMessage, messageCCVAddresses, messageExecutorAddress, ccvData },
      ...{ verifierSourceAddress: source, verifierDestAddress: ccv },
      attestationMs: execution.place.blockTimestampMs,
      verifierName: `chain:${execution.destChainSelector}`,
    });
  }
  return { execution, verifierResults, outcomes, passing: outcomes.includes('unmatched') };
}

function nothing(execution: Execution, outcome: RecoveryOutcome, passing: boolean): Recovered {
  return { execution, verifierResults: [], outcomes: [outcome], passing };
}

/** Each CCV of the message has a result: a call has nothing to add. */
function isComplete({ messageCCVAddresses }: StoredMessage, stored: readonly StoredVerifierResult[]): boolean {
  const answered = new Set(stored.map(({ verifierSourceAddress }) => canonicalAddress(verifierSourceAddress)));
  return messageCCVAddresses.every((address) => answered.has(canonicalAddress(address)));
}

async function orNull<T>(read: Promise<T>): Promise<T | null> {
  try {
    return await read;
  } catch (thrown) {
    if (thrown instanceof MessageNotFoundError || thrown instanceof CCVDataNotFoundError) return null;
    throw thrown;
  }
}
