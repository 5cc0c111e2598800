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
  /** The commit ends at `tick.lastPosition`; `isBoundary`: nothing of that commit comes later. */
  tick(tick: ClockTick, isBoundary: boolean): Call;
  /** Whether the commit of this writer that was to end at the position was done. Ask it with the clock locked. */
  isDone(transaction: Transaction, throughPosition: bigint): Promise<boolean>;
}

/** @param writer a number that no other writer of the database has. */
export function createClockWriter(namespace: Namespace, writer: bigint): ClockWriter {
  const statement = statementsOf(namespace);
  const move = (name: string, boundary: string) =>
    statement(
      name,
      `WITH clock AS (
         UPDATE @ingest_clock SET last_ms = $1::bigint, last_position = $2::bigint, last_move_position = $3::bigint,
           head_position = $4::bigint
       )${boundary}
       SELECT pg_notify($5::text, $6::text)`,
    );
  const inside = move('tick_inside', '');
  const boundary = move(
    'tick',
    `, done AS (
       INSERT INTO @commits (through_position, ingestion_ms, writer) VALUES ($2::bigint, $1::bigint, ${writer})
     )`,
  );
  const isDone = statement(
    'is_done',
    `SELECT EXISTS (SELECT FROM @commits WHERE through_position = $1::bigint AND writer = ${writer})`,
  );
  return {
    tick: ({ lastMs, lastPosition, lastMovePosition, headPosition }, isBoundary) => ({
      statement: isBoundary ? boundary : inside,
      values: [lastMs, lastPosition, lastMovePosition, headPosition, namespace.channel, `${writer} ${lastPosition}`],
    }),
    async isDone(transaction, throughPosition) {
      const [row] = await transaction.query(isDone, [throughPosition]);
      return toBoolean(row?.[0]);
    },
  };
}
