import type { ChangeSet } from '../../../model/batch.js';
import { DivergedError, PositionGapError } from '../../../model/storage-errors.js';
import type { AdvanceHub } from '../clock/advance-hub.js';
import { type ClockRow, isWhole } from '../clock/clock-row.js';
import type { ClockWriter } from '../clock/clock-writer.js';
import { type Transaction, UnknownOutcomeError } from '../connection/transaction.js';
import type { TransactionRunner } from '../connection/transaction-runner.js';
import type { RecordWriter } from './record-writer.js';
import type { StateReader } from './state-reader.js';
import { takenOver } from './taken-over.js';

const ATTEMPTS = 3;

/** Takes over the commits of another storage. */
export type ChangeApplier = (changes: ChangeSet) => Promise<void>;

/**
 * Applying is idempotent under the clock lock: changes at or below the clock's position are passed over. So an attempt
 * whose outcome is unknown is simply made again.
 */
export function createChangeApplier({
  name,
  runner,
  reader,
  records,
  clockWriter,
  hub,
}: {
  readonly name: string;
  readonly runner: TransactionRunner;
  readonly reader: StateReader;
  readonly records: RecordWriter;
  readonly clockWriter: ClockWriter;
  readonly hub: AdvanceHub;
}): ChangeApplier {
  async function applyOnce(set: ChangeSet): Promise<ClockRow> {
    return await runner.write('apply changes', async (transaction) => {
      const clock = await reader.lock(transaction);
      if (set.afterPosition > clock.lastPosition)
        throw new PositionGapError(name, clock.lastPosition, set.afterPosition);
      await refuseDiverged(transaction, clock, set);
      if (set.throughPosition <= clock.lastPosition) {
        await transaction.rollback();
        return clock;
      }
      const news = set.changes.filter((change) => change.position > clock.lastPosition);
      const after = clockAfter(clock, set);
      const isBoundary = after.lastPosition === after.headPosition;
      // the last point is the clock's own to keep, if it is one
      const boundaries = (set.boundaries ?? []).filter(
        ({ position }) => position > clock.lastPosition && (position < set.throughPosition || !isBoundary),
      );
      const clockCalls = [...clockWriter.boundaries(boundaries), clockWriter.tickApplied(after, isBoundary)];
      await transaction.commit(takenOver(records, news, clockCalls));
      return after;
    });
  }

  /**
   * Another process moved this storage to the end of the set, or within it: it follows the same leader, or writes here.
   */
  async function refuseDiverged(transaction: Transaction, clock: ClockRow, set: ChangeSet): Promise<void> {
    const { lastPosition } = clock;
    const isSameHead = isWhole(clock) && set.throughPosition === lastPosition && set.headPosition === lastPosition;
    if (isSameHead && lastPosition > 0n && set.headMs !== clock.lastMs)
      throw new DivergedError(name, lastPosition, 'the commit there has another time');
    if (set.afterPosition < lastPosition && (await clockWriter.hasOwnAfter(transaction, set.afterPosition)))
      throw new DivergedError(name, lastPosition, 'it was written to while it followed');
  }

  return async (set) => {
    for (let attempt = 1; ; attempt += 1)
      try {
        const clock = await applyOnce(set);
        hub.seen(clock);
        hub.advanced(clock.lastPosition);
        return;
      } catch (thrown) {
        if (!(thrown instanceof UnknownOutcomeError) || attempt >= ATTEMPTS) throw thrown;
      }
  };
}

function clockAfter(clock: ClockRow, set: ChangeSet): ClockRow {
  return {
    ...clock,
    lastMs: Math.max(clock.lastMs, set.headMs),
    lastPosition: set.throughPosition,
    lastMovePosition: max(clock.lastMovePosition, set.headMovePosition),
    // changes that an earlier set promised are still to come
    headPosition: max(clock.headPosition, set.headPosition),
  };
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
