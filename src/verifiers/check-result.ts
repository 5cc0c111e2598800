import type { Hex } from '../core/hex.js';
import { CCVAndExecutorHashError, computeCCVAndExecutorHash } from '../protocol/ccv-and-executor-hash.js';
import { isDiscoveryOnly } from '../protocol/discovery-only.js';
import type { NewMessage, VerifierResult } from '../protocol/records.js';
import { canonicalAddress } from './address.js';
import type { Claim, Rejection } from './claim.js';
import type { RejectReason } from './verifier-errors.js';

const MAX_ADDRESS_BYTES = 255;
/** The lead that a verifier's clock may have over ours. */
const MAX_AHEAD_MS = 24 * 60 * 60 * 1_000;

/** The expectations against which a claim is checked. */
export interface CheckContext {
  readonly verifierName: string;
  /** The reader's issuer addresses, each through `canonicalAddress`. */
  readonly issuers: ReadonlySet<Hex>;
  readonly nowMs: number;
  /** Default 128 KiB: the most that a transaction which executes a message can carry on most chains. */
  readonly maxCCVDataBytes?: number;
}

/** See `CheckContext.maxCCVDataBytes`. */
const DEFAULT_MAX_CCV_DATA_BYTES = 128 * 1024;

/** A claim that holds, as it is stored; one that only announces its message; or why it does not hold. */
export type CheckedClaim =
  | { readonly kind: 'verification'; readonly result: VerifierResult }
  | { readonly kind: 'discovery-only' }
  | Rejection;

/**
 * Checks everything that can be checked of a claim without asking anyone: that its addresses are those that the message
 * commits to, that the verifier is one of the message's CCVs and one that the reader speaks for, and its time. Whether
 * the message id is one that was asked for, the caller checks.
 *
 * EVM addresses that came left-padded to 32 bytes are taken for their 20 bytes, and stored so.
 */
export function checkVerifierResult(claim: Claim, context: CheckContext): CheckedClaim {
  if (isDiscoveryOnly(claim.ccvData)) return { kind: 'discovery-only' };
  const reject = (reason: RejectReason, detail: string): Rejection => ({
    kind: 'rejected',
    reason,
    messageId: claim.messageId,
    detail,
  });

  // before all else: whatever else is wrong with it, its bytes are not kept
  const maxBytes = context.maxCCVDataBytes ?? DEFAULT_MAX_CCV_DATA_BYTES;
  if (claim.ccvData.length > maxBytes)
    return reject('ccv_data_size', `ccv_data has ${claim.ccvData.length} bytes: expected at most ${maxBytes}`);

  const addresses = committedAddresses(claim);
  if (addresses.kind === 'mismatch')
    return reject(
      'ccv_and_executor_hash',
      `message has ${claim.ccvAndExecutorHash}, addresses give ${addresses.found}`,
    );

  const source = canonicalAddress(claim.verifierSourceAddress);
  const named = addresses.ccvs.find((ccv) => canonicalAddress(ccv) === source);
  if (named === undefined)
    return reject('source_not_in_message', `verifier ${source} is none of ${addresses.ccvs.join(', ') || 'no CCVs'}`);
  if (!context.issuers.has(source))
    return reject('source_not_of_reader', `reader ${context.verifierName} is not configured for verifier ${source}`);
  if (claim.verifierDestAddress.length > 2 + 2 * MAX_ADDRESS_BYTES)
    return reject('shape', `metadata.verifier_dest_address: longer than ${MAX_ADDRESS_BYTES} bytes`);

  const { attestationMs } = claim;
  if (!Number.isSafeInteger(attestationMs) || attestationMs < 0 || attestationMs > context.nowMs + MAX_AHEAD_MS)
    return reject('timestamp', `metadata.timestamp is ${attestationMs}: expected whole unix ms, not in the future`);

  return {
    kind: 'verification',
    result: {
      messageId: claim.messageId,
      verifierSourceAddress: named,
      verifierDestAddress: claim.verifierDestAddress,
      encodedMessage: claim.encodedMessage,
      messageCCVAddresses: addresses.ccvs,
      messageExecutorAddress: addresses.executor,
      ccvData: claim.ccvData,
      attestationMs,
      verifierName: context.verifierName,
    },
  };
}

/**
 * The message that a claim announces, whatever its verification is worth: its addresses are those that the message
 * commits to.
 */
export function announcedMessage(claim: Claim): { readonly kind: 'message'; readonly message: NewMessage } | Rejection {
  const { messageId, encodedMessage, ccvAndExecutorHash } = claim;
  const addresses = committedAddresses(claim);
  if (addresses.kind === 'mismatch')
    return {
      kind: 'rejected',
      reason: 'ccv_and_executor_hash',
      messageId,
      detail: `message has ${ccvAndExecutorHash}, addresses give ${addresses.found}`,
    };
  const { ccvs: messageCCVAddresses, executor: messageExecutorAddress } = addresses;
  return {
    kind: 'message',
    message: { messageId, encodedMessage, messageCCVAddresses, messageExecutorAddress, origin: null },
  };
}

/** The addresses in the spelling that the message's hash commits to: as they came, or without their padding. */
function committedAddresses(
  claim: Claim,
):
  | { readonly kind: 'match'; readonly ccvs: readonly Hex[]; readonly executor: Hex }
  | { readonly kind: 'mismatch'; readonly found: string } {
  const { messageCCVAddresses: ccvs, messageExecutorAddress: executor, ccvAndExecutorHash } = claim;
  const found = hashOrReason(ccvs, executor);
  if (found === ccvAndExecutorHash) return { kind: 'match', ccvs, executor };
  const bare = { ccvs: ccvs.map(canonicalAddress), executor: canonicalAddress(executor) };
  if (hashOrReason(bare.ccvs, bare.executor) === ccvAndExecutorHash) return { kind: 'match', ...bare };
  return { kind: 'mismatch', found };
}

function hashOrReason(ccvs: readonly Hex[], executor: Hex): string {
  try {
    return computeCCVAndExecutorHash(ccvs, executor);
  } catch (thrown) {
    if (thrown instanceof CCVAndExecutorHashError) return thrown.message;
    throw thrown;
  }
}
