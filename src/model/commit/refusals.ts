import type { CursorMove, Lease } from '../batch.js';
import type { SourceCursor } from '../records.js';
import { CursorConflictError, LeaseLostError } from '../storage-errors.js';
import type { Known } from './known.js';

/** The reason to refuse a batch under this lease; null: it stands, or none is named. */
export function leaseLoss(lease: Lease | undefined, known: Pick<Known, 'lease'>): LeaseLostError | null {
  if (lease === undefined) return null;
  const actual = known.lease(lease.source);
  return actual?.owner === lease.owner && actual.epoch === lease.epoch ? null : new LeaseLostError(lease, actual);
}

/** The reason to refuse a batch with these moves; all moves of a cursor are checked one after the other. */
export function cursorConflict(
  moves: readonly CursorMove[],
  cursorOf: (sourceId: string) => SourceCursor | undefined,
): CursorConflictError | null {
  const heights = new Map<string, bigint>();
  for (const { sourceId, height, expectedHeight, setBack } of moves) {
    const actual = heights.get(sourceId) ?? cursorOf(sourceId)?.height ?? null;
    // a watcher that would lower a cursor has not seen where it is
    if (actual !== expectedHeight || (actual !== null && height < actual && setBack !== true))
      return new CursorConflictError(sourceId, expectedHeight, actual);
    heights.set(sourceId, height);
  }
  return null;
}
