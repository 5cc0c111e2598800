import type { AsOf } from '../../../model/coverage.js';
import { type Coverage, fullCoverage } from '../../../model/coverage.js';
import { CoverageGapError, type Gap } from '../../../model/storage-errors.js';
import type { SessionLimits } from '../connection/session.js';
import type { Row } from '../connection/statement.js';
import { toBigint, toBoolean, toNumber } from '../rows/columns.js';

/** The one row of `ingest_clock`: the state of the store that a snapshot saw. */
export interface ClockRow {
  /** Ingestion time of the last commit; −1 before the first. */
  readonly lastMs: number;
  readonly lastPosition: bigint;
  readonly lastMovePosition: bigint;
  /** Above `lastPosition` while a follower has only part of a snapshot of its leader. */
  readonly headPosition: bigint;
  /** Records ingested at or below this are pruned; −1 = none. */
  readonly floorMs: number;
  readonly floorPosition: bigint;
  /** Another database leads: commits are only taken over here. */
  readonly handedOver: boolean;
}

/** First in every read, so that records and their coverage come from one snapshot. */
export const CLOCK_COLUMNS =
  'c.last_ms, c.last_position, c.last_move_position, c.head_position, c.floor_ms, c.floor_position, c.handed_over';

/** Where they come from. The condition tells the planner that it is one row. */
export const CLOCK = '(SELECT * FROM @ingest_clock WHERE only_row) c';

/** Number of clock columns before a read's own. */
export const CLOCK_WIDTH = 7;

/** The others go on so soon after a writer fell silent: a worker that is gone is replaced within 10 s. */
const MOST_HOLD_MS = 8_000;

/** Takes the clock lock, for the transaction. A writer that falls silent holds it for seconds only. */
export function lockClock({ idleInTxSessionTimeoutMs }: SessionLimits): string {
  const holdMs = Math.min(idleInTxSessionTimeoutMs || MOST_HOLD_MS, MOST_HOLD_MS);
  const limit = `pg_catalog.set_config('idle_in_transaction_session_timeout', '${holdMs}', true)`;
  return `SELECT ${CLOCK_COLUMNS}, ${limit} FROM @ingest_clock c FOR UPDATE`;
}

/** Decodes the first columns of a row. */
export function decodeClock(row: Row): ClockRow {
  return {
    lastMs: toNumber(row[0]),
    lastPosition: toBigint(row[1]),
    lastMovePosition: toBigint(row[2]),
    headPosition: toBigint(row[3]),
    floorMs: toNumber(row[4]),
    floorPosition: toBigint(row[5]),
    handedOver: toBoolean(row[6]),
  };
}

/** Refuses the clock row of a database that has handed over. @throws HandedOverError */
export type RequireLead = (clockRow: Row) => void;

/** True when the store holds a whole state: always, but for a follower in the middle of catching up. */
export function isWhole(clock: ClockRow): boolean {
  return clock.lastPosition === clock.headPosition;
}

export function asOf(clock: ClockRow): AsOf {
  return { position: clock.lastPosition, movePosition: clock.lastMovePosition };
}

/** The coverage of a store with this clock. */
export function coverageOf(clock: ClockRow): Coverage {
  const full = fullCoverage(clock.lastPosition, clock.lastMovePosition);
  if (!isWhole(clock)) return { ...full, throughMs: -1, afterPosition: clock.lastPosition };
  return { ...full, afterMs: clock.floorMs, afterPosition: clock.floorPosition };
}

/** @throws CoverageGapError when the store is not complete from `startMs` on. */
export function checkTimes(clock: ClockRow, startMs: number, endMs: number, backend: string): void {
  if (!isWhole(clock)) throw gap({ kind: 'time', startMs, endMs }, backend, clock);
  // a range that ends below the beginning of time is empty everywhere
  if (startMs <= clock.floorMs && endMs >= startMs)
    throw gap({ kind: 'time', startMs, endMs: Math.min(endMs, clock.floorMs) }, backend, clock);
}

/** @throws CoverageGapError when changes after the position are pruned, not there yet, or have holes. */
export function checkPosition(clock: ClockRow, afterPosition: bigint, backend: string): void {
  if (!isWhole(clock) || afterPosition < clock.floorPosition || afterPosition > clock.lastPosition)
    throw gap({ kind: 'position', afterPosition }, backend, clock);
}

/**
 * An id of which nothing was pruned leaves no trace among the pruned ids; then all of its records are here, also
 * when there are none.
 * @throws CoverageGapError when a record of the id is pruned, or not here yet.
 */
export function checkMessageId(clock: ClockRow, messageId: `0x${string}`, isPruned: boolean, backend: string): void {
  if (!isWhole(clock) || isPruned) throw gap({ kind: 'messageId', messageId }, backend, clock);
}

/** @throws CoverageGapError in the middle of catching up. Records that are never pruned need no more. */
export function checkWhole(clock: ClockRow, backend: string): void {
  if (!isWhole(clock)) throw gap({ kind: 'time', startMs: 0, endMs: Number.POSITIVE_INFINITY }, backend, clock);
}

function gap(what: Gap, backend: string, clock: ClockRow): CoverageGapError {
  return new CoverageGapError(what, `storage ${backend}`, {
    details: { lastPosition: String(clock.lastPosition), headPosition: String(clock.headPosition) },
  });
}
