import { IndexerError, type IndexerErrorOptions } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import type { Lease } from './batch.js';

/** No verifier result is stored for the message id, and the answering backend is complete for that id. */
export class CCVDataNotFoundError extends IndexerError {
  constructor(messageId: Hex) {
    super('CCV_DATA_NOT_FOUND', `no verifier result for message ${messageId}`, false, { details: { messageId } });
  }
}

/** No message is stored under the id, and the answering backend is complete for that id. */
export class MessageNotFoundError extends IndexerError {
  constructor(messageId: Hex) {
    super('MESSAGE_NOT_FOUND', `no message ${messageId}`, false, { details: { messageId } });
  }
}

/** `insertCCVData` met a verifier result that is stored already. */
export class DuplicateCCVDataError extends IndexerError {
  constructor(messageId: Hex, verifierSourceAddress: Hex, verifierDestAddress: Hex) {
    super(
      'DUPLICATE_CCV_DATA',
      `verifier result of ${verifierSourceAddress} for message ${messageId} is stored already`,
      false,
      {
        details: { messageId, verifierSourceAddress, verifierDestAddress },
      },
    );
  }
}

/** `insertCCVData` met the same identity with different bytes; the conflict is recorded, the first stays. */
export class ConflictingCCVDataError extends IndexerError {
  constructor(messageId: Hex, verifierSourceAddress: Hex, verifierDestAddress: Hex) {
    super(
      'CONFLICTING_CCV_DATA',
      `another verifier result of ${verifierSourceAddress} for message ${messageId} is stored already and differs`,
      false,
      { details: { messageId, verifierSourceAddress, verifierDestAddress } },
    );
  }
}

/** The part of a question that nothing asked can answer for. */
export type Gap =
  | { readonly kind: 'time'; readonly startMs: number; readonly endMs: number }
  | { readonly kind: 'messageId'; readonly messageId: Hex }
  | { readonly kind: 'transaction'; readonly transactionHash: Hex }
  | { readonly kind: 'position'; readonly afterPosition: bigint };

/** A backend, or all of them, is not complete for the named part of a question. Never an empty answer instead. */
export class CoverageGapError extends IndexerError {
  readonly gap: Gap;
  /** Text for every reader: the act of the operator without which the gap stays. Null: the gap closes by itself. */
  readonly remedy: string | null;
  constructor(gap: Gap, where: string, options: IndexerErrorOptions & { readonly remedy?: string } = {}) {
    const { remedy = null, ...others } = options;
    super(
      'COVERAGE_GAP',
      `${where} cannot answer for ${describeGap(gap)}${remedy === null ? '' : `: ${remedy}`}`,
      true,
      { ...others, details: { ...options.details, gap: describeGap(gap), where } },
    );
    this.gap = gap;
    this.remedy = remedy;
  }
}

/** The backend cannot be reached, or gave up within its time limits. */
export class StorageUnavailableError extends IndexerError {
  constructor(backend: string, operation: string, options?: IndexerErrorOptions) {
    super('STORAGE_UNAVAILABLE', `storage ${backend} could not ${operation}`, true, options);
  }
}

/** The backend lacks commits that this process has seen there. The next call is answered from the rest. */
export class StorageSetBackError extends IndexerError {
  constructor(backend: string, seenPosition: bigint, throughPosition: bigint) {
    super(
      'STORAGE_SET_BACK',
      `storage ${backend} stands at position ${throughPosition} and stood at ${seenPosition} before: ` +
        'it was set back, by a failover or a restore from a backup',
      true,
      { details: { backend, seenPosition: String(seenPosition), throughPosition: String(throughPosition) } },
    );
  }
}

/** Another database leads, since a move of the deployment: this one takes commits over, and answers for nothing. */
export class HandedOverError extends IndexerError {
  constructor(backend: string) {
    super(
      'STORAGE_HANDED_OVER',
      `storage ${backend} has handed over to another database: see 'ccv-indexer migration status'`,
      true,
      { details: { backend } },
    );
  }
}

/** Records of the database that leads are not put right from another: it is right by itself. */
export class MendRefusedError extends IndexerError {
  constructor(backend: string) {
    super('MEND_REFUSED', `storage ${backend} leads: its records are not changed by what another holds`, false, {
      details: { backend },
    });
  }
}

/** The backend refused or broke in a way that trying again will not mend. */
export class StorageFailureError extends IndexerError {
  constructor(backend: string, operation: string, options?: IndexerErrorOptions) {
    super('STORAGE_FAILURE', `storage ${backend} failed to ${operation}`, false, options);
  }
}

/** The writer's lease does not stand: its source has another owner, or none. Nothing was stored, or ever will be. */
export class LeaseLostError extends IndexerError {
  constructor({ source, owner, epoch }: Lease, actual: Omit<Lease, 'source'> | undefined) {
    const stands = actual ? `epoch ${actual.epoch} of ${actual.owner} stands` : 'nobody owns it';
    super('LEASE_LOST', `source ${source}: epoch ${epoch} of ${owner} is over, ${stands}`, false, {
      details: { source, owner, epoch: String(epoch) },
    });
  }
}

/** Someone else moved the cursor: read it again before going on. Nothing of the batch was stored. */
export class CursorConflictError extends IndexerError {
  constructor(sourceId: string, expectedHeight: bigint | null, actualHeight: bigint | null) {
    super('CURSOR_CONFLICT', `cursor of ${sourceId} is at ${actualHeight}, not at ${expectedHeight}`, true, {
      details: { sourceId, expectedHeight: String(expectedHeight), actualHeight: String(actualHeight) },
    });
  }
}

/** A follower was given changes that do not start where it stands: it must catch up by `changesAfter`. */
export class PositionGapError extends IndexerError {
  constructor(backend: string, throughPosition: bigint, afterPosition: bigint) {
    super(
      'POSITION_GAP',
      `storage ${backend} stands at ${throughPosition}, the changes start after ${afterPosition}`,
      true,
      {
        details: { backend, throughPosition: String(throughPosition), afterPosition: String(afterPosition) },
      },
    );
  }
}

const DIVERGED_ADVICE =
  'stop every worker, keep the database that has what you need and let the other follow it again from empty';

/**
 * A follower and its leader hold different histories at the same positions: both were written to, or one was set back.
 * Following cannot mend that, and both may hold records that were acknowledged.
 */
export class DivergedError extends IndexerError {
  constructor(backend: string, position: bigint, why: string, advice: string = DIVERGED_ADVICE) {
    super(
      'DIVERGED',
      `storage ${backend} holds another history than its leader at position ${position} (${why}): ${advice}`,
      false,
      { details: { backend, position: String(position), why } },
    );
  }
}

function describeGap(gap: Gap): string {
  switch (gap.kind) {
    case 'time':
      return `ingestion times ${formatMs(gap.startMs)} to ${formatMs(gap.endMs)}`;
    case 'messageId':
      return `message ${gap.messageId}`;
    case 'transaction':
      return `transaction ${gap.transactionHash}`;
    case 'position':
      return `changes after position ${gap.afterPosition}`;
  }
}

function formatMs(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : 'now';
}
