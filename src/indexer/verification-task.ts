import { AbortedError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import type { StoredMessage } from '../model/records.js';
import { canonicalAddress } from '../verifiers/address.js';
import type { VerifierRegistry } from '../verifiers/registry.js';
import type { ListNode } from './intrusive-list.js';
import type { Timed } from './timing-wheel.js';

/**
 * Why the reads of an attempt end early. One for all: an abort without a reason makes an error, and its stack, each
 * time.
 */
export const ATTEMPT_OVER = new AbortedError('attempt');

/** The scheduler's view of a message; never its bytes. */
export interface PendingMessage {
  readonly messageId: Hex;
  readonly ingestionMs: number;
  /** Of the message's last change. */
  readonly position: bigint;
  readonly ccvAddresses: readonly Hex[];
  readonly timedOut: boolean;
}

/** One message whose verifications are being collected. Its life is described at `TaskBoard`. */
export interface VerificationTask extends Timed, ListNode<VerificationTask> {
  readonly messageId: Hex;
  /** Since when the visibility window runs, unix ms. */
  readonly ingestionMs: number;
  /** The message names a CCV. */
  readonly answerable: boolean;
  /** The message has a CCV with a reader. Without one nothing is asked, and its results can only be discovered. */
  readonly verifiable: boolean;
  /** CCVs that have a reader (where none has: all CCVs) and no stored result, in canonical form. */
  missing: readonly Hex[];
  /** The stored results of the message must be looked up before `missing` is right. */
  needsLookup: boolean;
  /** The window has ended, and that is stored. */
  timedOut: boolean;
  /** Which of the board's places it takes: that does not change when it times out. */
  place: 'in-time' | 'timed-out';
  /** Exponent of the next delay. */
  attempts: number;
  /** Ends the reads of the attempt under way; null when none is. */
  attempt: AbortController | null;
  /** The task is over: verified, orphaned, or the scheduler closes. */
  ended: boolean;
  /**
   * The entries that were put into quarantine for it already, so that the same answer is not written again every
   * time.
   */
  quarantined: Set<string> | null;
}

/** The part of a stored message that a task is made from. */
export function pendingMessage(message: StoredMessage): PendingMessage {
  return {
    messageId: message.messageId,
    ingestionMs: message.ingestionMs,
    position: message.position,
    ccvAddresses: message.messageCCVAddresses,
    timedOut: message.status === 'timeout',
  };
}

/**
 * A task for a message. Its backoff starts where a task of that age would be, so that a restart does not ask for old
 * messages as if they were new.
 */
export function createTask(
  message: PendingMessage,
  options: {
    readonly registry: VerifierRegistry;
    readonly nowMs: number;
    readonly baseDelayMs: number;
    readonly needsLookup: boolean;
  },
): VerificationTask {
  const known = message.ccvAddresses.filter((address) => options.registry.readersFor(address).length > 0);
  const ageMs = options.nowMs - message.ingestionMs;
  return {
    messageId: message.messageId,
    ingestionMs: message.ingestionMs,
    answerable: message.ccvAddresses.length > 0,
    verifiable: known.length > 0,
    missing: [...new Set((known.length > 0 ? known : message.ccvAddresses).map(canonicalAddress))],
    needsLookup: options.needsLookup,
    timedOut: message.timedOut,
    place: message.timedOut ? 'timed-out' : 'in-time',
    attempts: ageMs > options.baseDelayMs ? Math.floor(Math.log2(ageMs / options.baseDelayMs)) : 0,
    attempt: null,
    ended: false,
    quarantined: null,
    dueMs: 0,
    slot: -1,
    list: null,
    previous: null,
    next: null,
  };
}

/** Takes a CCV that has answered off the list. */
export function markAnswered(task: VerificationTask, ccvAddress: Hex): void {
  const answered = canonicalAddress(ccvAddress);
  if (task.missing.includes(answered)) task.missing = task.missing.filter((address) => address !== answered);
}
