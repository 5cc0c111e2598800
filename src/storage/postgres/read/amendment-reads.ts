import {
  type ChangedMessages,
  type ChangedMessagesQuery,
  MAX_MOVES,
  type Moves,
  type MovesQuery,
} from '../../../model/amendments.js';
import { CoverageGapError } from '../../../model/storage-errors.js';
import {
  asOf,
  CLOCK,
  CLOCK_COLUMNS,
  CLOCK_WIDTH,
  type ClockRow,
  checkPosition,
  decodeClock,
} from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import { type Row, statementsOf } from '../connection/statement.js';
import { hexArray } from '../rows/binary-arrays.js';
import { toBigint, toHex, toNumber, toSelector } from '../rows/columns.js';
import { decodeMessage, MESSAGE_COLUMNS } from '../rows/record-rows.js';
import type { ReadContext } from './read-context.js';

/** The reads that amend lists of a storage at an earlier position. */
export interface AmendmentReads {
  movesAfter(query: MovesQuery): Promise<Moves>;
  changedMessages(query: ChangedMessagesQuery): Promise<ChangedMessages>;
}

/**
 * At and above the floor every change is here as a row, or is noted as a move: so a move that is not told did not
 * happen.
 */
export function createAmendmentReads(namespace: Namespace, { read, hub, name }: ReadContext): AmendmentReads {
  const statement = statementsOf(namespace);
  const moves = statement(
    'moves_after',
    `SELECT ${CLOCK_COLUMNS}, c.moves_position, x.record, x.old_ms, x.message_id, x.verifier_source, x.verifier_dest,
       x.source_chain, x.dest_chain
     FROM ${CLOCK} LEFT JOIN (
       SELECT * FROM @moves WHERE position > $1::bigint AND old_ms <= $2::bigint ORDER BY position
       LIMIT ${MAX_MOVES + 1}
     ) x ON true`,
  );
  const messages = statement(
    'changed_messages',
    `SELECT ${CLOCK_COLUMNS}, ${MESSAGE_COLUMNS.replace('b.body', 'NULL::bytea')}
     FROM ${CLOCK} LEFT JOIN (
       @messages m JOIN @message_bodies b ON b.message_id = m.message_id
     ) ON m.message_id = ANY ($2::bytea[]) AND m.position > $1::bigint`,
    { binary: true },
  );

  function clockOf(rows: readonly Row[], afterPosition: bigint): ClockRow {
    const clock = decodeClock(rows[0] ?? []);
    hub.seen(clock);
    checkPosition(clock, afterPosition, name);
    return clock;
  }

  return {
    async movesAfter({ afterPosition, throughMs }) {
      const rows = await read('read moves', { statement: moves, values: [afterPosition, throughMs] });
      const clock = clockOf(rows, afterPosition);
      const found = rows.filter((row) => row[CLOCK_WIDTH + 1] !== null);
      if (afterPosition < toBigint(rows[0]?.[CLOCK_WIDTH]) || found.length > MAX_MOVES)
        throw new CoverageGapError({ kind: 'position', afterPosition }, `storage ${name}`, {
          details: { why: 'the moves since then are not all known, or too many' },
        });
      return { moves: found.map(decodeMove), asOf: asOf(clock) };
    },
    async changedMessages({ afterPosition, messageIds }) {
      const values = [afterPosition, hexArray(messageIds)];
      const rows = await read('read changed messages', { statement: messages, values });
      const clock = clockOf(rows, afterPosition);
      const found = rows.filter((row) => row[CLOCK_WIDTH] !== null);
      return { messages: found.map((row) => decodeMessage(row, CLOCK_WIDTH)), asOf: asOf(clock) };
    },
  };
}

function decodeMove(row: Row): Moves['moves'][number] {
  const at = CLOCK_WIDTH + 1;
  return {
    record: toNumber(row[at]) === 0 ? 'message' : 'verifierResult',
    key: {
      ingestionMs: toNumber(row[at + 1]),
      messageId: toHex(row[at + 2]),
      verifierSourceAddress: toHex(row[at + 3]),
      verifierDestAddress: toHex(row[at + 4]),
    },
    lane: { sourceChainSelector: toSelector(row[at + 5]), destChainSelector: toSelector(row[at + 6]) },
  };
}
