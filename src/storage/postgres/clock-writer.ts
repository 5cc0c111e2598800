import { toBoolean } from './columns.js';
import type { Namespace } from './namespace.js';
import { statementsOf } from './statement.js';
import type { Call, Transaction } from './transaction-runner.js';

/** What a commit leaves in the clock row. */
export interface ClockTick {
  readonly lastMs: number;
  readonly lastPosition: bigint;
  readonly lastMovePosition: bigint;
  readonly headPosition: bigint;
}

/** Moves the clock, which announces the commit and leaves a proof of it. */
export interface ClockWriter {
  /** After a commit of our own, whose moves are noted. It ends at `tick.lastPosition`. */
  tick(tick: ClockTick): Call;
  /**
   * After changes of another storage were taken over, of which it is not known where they moved records from.
   * `isBoundary`: nothing of the last commit in it comes later.
   */
  follow(tick: ClockTick, isBoundary: boolean): Call;
  /** Whether the commit of this writer that was to end at the position was done. Ask it with the clock locked. */
  isDone(transaction: Transaction, throughPosition: bigint): Promise<boolean>;
}

/** @param writer a number that no other writer of the database has. */
export function createClockWriter(namespace: Namespace, writer: bigint): ClockWriter {
  const statement = statementsOf(namespace);
  const move = (name: string, moves: string, boundary: string) =>
    statement(
      name,
      `WITH clock AS (
         UPDATE @ingest_clock SET last_ms = $1::bigint, last_position = $2::bigint, last_move_position = $3::bigint,
           head_position = $4::bigint${moves}
       )${boundary}
       SELECT pg_notify($5::text, $6::text)`,
    );
  const commit = `, done AS (
       INSERT INTO @commits (through_position, ingestion_ms, writer) VALUES ($2::bigint, $1::bigint, ${writer})
     )`;
  const unknownMoves = `,
           moves_position = CASE WHEN $3::bigint > last_move_position THEN $3::bigint ELSE moves_position END`;
  const own = move('tick', '', commit);
  const inside = move('follow_inside', unknownMoves, '');
  const boundary = move('follow', unknownMoves, commit);
  const valuesOf = ({ lastMs, lastPosition, lastMovePosition, headPosition }: ClockTick) => [
    ...[lastMs, lastPosition, lastMovePosition, headPosition],
    ...[namespace.channel, `${writer} ${lastPosition}`],
  ];
  const isDone = statement(
    'is_done',
    `SELECT EXISTS (SELECT FROM @commits WHERE through_position = $1::bigint AND writer = ${writer})`,
  );
  return {
    tick: (tick) => ({ statement: own, values: valuesOf(tick) }),
    follow: (tick, isBoundary) => ({ statement: isBoundary ? boundary : inside, values: valuesOf(tick) }),
    async isDone(transaction, throughPosition) {
      const [row] = await transaction.query(isDone, [throughPosition]);
      return toBoolean(row?.[0]);
    },
  };
}
