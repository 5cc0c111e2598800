import type { Boundary } from '../../../model/boundary.js';
import type { Namespace } from '../connection/namespace.js';
import { statementsOf } from '../connection/statement.js';
import type { Call, Transaction } from '../connection/transaction.js';
import { bigintArray } from '../rows/binary-arrays.js';
import { toBoolean } from '../rows/columns.js';

/** The clock row after a commit. */
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
   * `isBoundary`: nothing of their last commit comes later.
   */
  tickApplied(tick: ClockTick, isBoundary: boolean): Call;
  /** Keeps points between commits of another storage; those that are here already are passed over. */
  boundaries(of: readonly Boundary[]): readonly Call[];
  /** Whether the commit of this writer that was to end at the position was done. Ask it with the clock locked. */
  isDone(transaction: Transaction, throughPosition: bigint): Promise<boolean>;
  /** Whether commits above the position were made here, not taken over. Ask it with the clock locked. */
  hasOwnAfter(transaction: Transaction, position: bigint): Promise<boolean>;
}

/** Stands for the writer of a commit that was made elsewhere. */
const ELSEWHERE = 0n;

/** @param writer a number above zero that no other writer of the database has. */
export function createClockWriter(namespace: Namespace, writer: bigint): ClockWriter {
  const statement = statementsOf(namespace);
  const move = (name: string, moves: string, boundary: string) =>
    statement(
      name,
      `WITH clock AS (
         UPDATE @ingest_clock SET last_ms = $1::bigint, last_position = $2::bigint, last_move_position = $3::bigint,
           head_position = $4::bigint, counted_position = $2::bigint${moves}
       )${boundary}
       SELECT pg_notify($5::text, $6::text)`,
    );
  const unknownMoves = `,
           moves_position = CASE WHEN $3::bigint > last_move_position THEN $3::bigint ELSE moves_position END`;
  const leaves = (of: bigint) => `, done AS (
       INSERT INTO @commits (through_position, ingestion_ms, writer) VALUES ($2::bigint, $1::bigint, ${of})
     )`;
  const own = move('tick', '', leaves(writer));
  const inside = move('tick_inside', unknownMoves, '');
  const applied = move('tick_applied', unknownMoves, leaves(ELSEWHERE));
  const boundaries = statement(
    'boundaries',
    `INSERT INTO @commits (through_position, ingestion_ms, writer)
     SELECT position, ms, ${ELSEWHERE} FROM unnest($1::bigint[], $2::bigint[]) b (position, ms) ON CONFLICT DO NOTHING`,
  );
  const isDone = statement(
    'is_done',
    `SELECT EXISTS (SELECT FROM @commits WHERE through_position = $1::bigint AND writer = ${writer})`,
  );
  const ownAfter = statement(
    'own_commits_after',
    `SELECT EXISTS (SELECT FROM @commits WHERE through_position > $1::bigint AND writer <> ${ELSEWHERE})`,
  );
  const values = ({ lastMs, lastPosition, lastMovePosition, headPosition }: ClockTick): Call['values'] => [
    ...[lastMs, lastPosition, lastMovePosition, headPosition],
    ...[namespace.channel, `${writer} ${lastPosition}`],
  ];
  return {
    tick: (tick) => ({ statement: own, values: values(tick) }),
    tickApplied: (tick, isBoundary) => ({ statement: isBoundary ? applied : inside, values: values(tick) }),
    boundaries(of) {
      if (of.length === 0) return [];
      const positions = bigintArray(of.map(({ position }) => position));
      return [{ statement: boundaries, values: [positions, bigintArray(of.map(({ ingestionMs }) => ingestionMs))] }];
    },
    async isDone(transaction, throughPosition) {
      const [row] = await transaction.query(isDone, [throughPosition]);
      return toBoolean(row?.[0]);
    },
    async hasOwnAfter(transaction, position) {
      const [row] = await transaction.query(ownAfter, [position]);
      return toBoolean(row?.[0]);
    },
  };
}
