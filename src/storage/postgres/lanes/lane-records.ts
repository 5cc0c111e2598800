import { hexToBytes } from '../../../core/hex.js';
import type { GapAsk, LaneRecords } from '../../lane-records.js';
import type { Namespace } from '../connection/namespace.js';
import { type Row, statementsOf } from '../connection/statement.js';
import type { TransactionRunner } from '../connection/transaction-runner.js';
import {
  fromMessageNumber,
  fromSelector,
  toBigint,
  toBytes,
  toHex,
  toMessageNumber,
  toNumber,
  toSelector,
} from '../rows/columns.js';

const KEPT_MS = 30 * 24 * 3_600_000;

/** The notes about lanes of a namespace. */
export function createLaneRecords(namespace: Namespace, runner: TransactionRunner): LaneRecords {
  const sql = createStatements(namespace);
  return {
    async asks() {
      return (await runner.read('read lane asks', { statement: sql.asks, values: [] })).map(decodeAsk);
    },
    async board() {
      const [row] = await runner.read('read lane board', { statement: sql.board, values: [] });
      return row ? { position: toBigint(row[0]), ingestionMs: toNumber(row[1]), bytes: toBytes(row[2]) } : null;
    },
    async keepBoard({ position, ingestionMs, bytes }) {
      const values = [position, ingestionMs, Buffer.from(bytes)];
      await runner.write('keep lane board', (transaction) => transaction.commit([{ statement: sql.keep, values }]));
    },
    async noteAsk(gap, atMs) {
      const { sourceChainSelector, destChainSelector, onRampAddress, fromNumber, throughNumber } = gap;
      const values = [
        ...[fromSelector(sourceChainSelector), fromSelector(destChainSelector)],
        Buffer.from(hexToBytes(onRampAddress)),
        ...[fromMessageNumber(fromNumber), fromMessageNumber(throughNumber), atMs],
      ];
      await runner.write('note lane ask', (transaction) =>
        transaction.commit([
          { statement: sql.note, values },
          { statement: sql.forget, values: [atMs - KEPT_MS] },
        ]),
      );
    },
  };
}

function createStatements(namespace: Namespace) {
  const statement = statementsOf(namespace);
  return {
    asks: statement(
      'lane_asks',
      `SELECT a.source_chain, a.dest_chain, a.on_ramp, a.from_number, a.through_number, a.times_asked, a.asked_ms
       FROM @lane_asks a`,
    ),
    board: statement('lane_board', 'SELECT b.position, b.ingestion_ms, b.board FROM @lane_boards b'),
    keep: statement(
      'keep_lane_board',
      `INSERT INTO @lane_boards AS b (id, position, ingestion_ms, saved_ms, board)
       VALUES (1, $1::bigint, $2::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, $3::bytea)
       ON CONFLICT (id) DO UPDATE SET position = excluded.position, ingestion_ms = excluded.ingestion_ms,
         saved_ms = excluded.saved_ms, board = excluded.board
         WHERE b.position < excluded.position`,
    ),
    note: statement(
      'note_lane_ask',
      `INSERT INTO @lane_asks AS a
         (source_chain, dest_chain, on_ramp, from_number, through_number, times_asked, asked_ms)
       VALUES ($1::bigint, $2::bigint, $3::bytea, $4::bigint, $5::bigint, 1, $6::bigint)
       ON CONFLICT (source_chain, dest_chain, on_ramp, from_number, through_number)
       DO UPDATE SET times_asked = a.times_asked + 1, asked_ms = excluded.asked_ms`,
    ),
    forget: statement('forget_lane_asks', 'DELETE FROM @lane_asks a WHERE a.asked_ms < $1::bigint'),
  };
}

function decodeAsk([source, dest, onRamp, from, through, times, asked]: Row): GapAsk {
  return {
    sourceChainSelector: toSelector(source),
    destChainSelector: toSelector(dest),
    onRampAddress: toHex(onRamp),
    fromNumber: toMessageNumber(from),
    throughNumber: toMessageNumber(through),
    timesAsked: toNumber(times),
    askedMs: toNumber(asked),
  };
}
