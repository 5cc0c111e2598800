import type { Hex } from '../../../core/hex.js';
import { StorageUnavailableError } from '../../../model/storage-errors.js';
import { CLOCK, CLOCK_COLUMNS, CLOCK_WIDTH, type ClockRow, decodeClock } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import { type Row, type Statement, statementsOf } from '../connection/statement.js';
import { hexArray } from '../rows/binary-arrays.js';
import { toBoolean, toHex, toNumber } from '../rows/columns.js';
import { MESSAGE_COLUMNS, RESULT_COLUMNS, smallColumns } from '../rows/record-rows.js';
import type { ReadContext } from './read-context.js';
import { createSharedQuery } from './shared-query.js';

/** The two kinds of record that are looked up by message id. */
export type LookupKind = 'message' | 'results';

/** The records of one id, of one snapshot. */
export interface IdRows {
  /** Each with its record from `RECORD` on, in the order of verifiers. */
  readonly rows: readonly Row[];
  readonly clock: ClockRow;
  /** Others of the id are pruned. */
  readonly isPruned: boolean;
  /** False: some contents are too large for a query that lookups share. */
  readonly isWhole: boolean;
}

/** For metrics and errors. */
export const LABELS: Readonly<Record<LookupKind, string>> = { message: 'get message', results: 'get ccv data' };

/** Columns of a lookup: the clock, whether records of the id are pruned, the record. */
export const IS_PRUNED = CLOCK_WIDTH;
export const RECORD = CLOCK_WIDTH + 1;

/** Contents up to this lie in the row itself. Lookups of larger ones do not wait for each other, or add up. */
const SMALL_BYTES = 8_160;

const COLUMNS: Readonly<Record<LookupKind, string>> = { message: MESSAGE_COLUMNS, results: RESULT_COLUMNS };
/** Columns of a record that can be large, from `RECORD` on. */
const LARGE_AT: Readonly<Record<LookupKind, readonly number[]>> = { message: [11], results: [5, 10] };
const SOURCE_AT = RECORD + 3;
const DEST_AT = RECORD + 4;

/** Lookups that share their queries: each is answered by one that began after it was asked for. */
export function createLookups(
  namespace: Namespace,
  context: ReadContext,
): Readonly<Record<LookupKind, (messageId: Hex) => Promise<IdRows>>> {
  const sql = createStatements(namespace);
  const create = (kind: LookupKind) =>
    createSharedQuery((ids: readonly Hex[]) => lookUp(kind, sql[kind], ids, context), {
      clock: context.clock,
      refuse: () => new StorageUnavailableError(context.name, `${LABELS[kind]}: too many lookups wait`),
    });
  return { message: create('message'), results: create('results') };
}

async function lookUp(
  kind: LookupKind,
  statement: Statement,
  ids: readonly Hex[],
  { read, hub }: ReadContext,
): Promise<readonly IdRows[]> {
  const rows = await read(LABELS[kind], { statement, values: [hexArray(ids)] });
  const clock = decodeClock(rows[0] ?? []);
  hub.seen(clock);
  const rowsOf: Row[][] = ids.map(() => []);
  // the number of the id is the last column
  for (const row of rows) rowsOf[toNumber(row.at(-1)) - 1]?.push(row);
  return rowsOf.map((ofId): IdRows => {
    const found = ofId.filter((row) => row[RECORD] !== null);
    if (kind === 'results' && found.length > 1) found.sort(byVerifier);
    const isWhole = found.every((row) => LARGE_AT[kind].every((at) => row[RECORD + at] !== null));
    return { rows: found, clock, isPruned: toBoolean(ofId[0]?.[IS_PRUNED]), isWhole };
  });
}

/** Hex has the order of its bytes. */
function byVerifier(a: Row, b: Row): number {
  return compare(toHex(a[SOURCE_AT]), toHex(b[SOURCE_AT])) || compare(toHex(a[DEST_AT]), toHex(b[DEST_AT]));
}

function compare(a: Hex, b: Hex): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/**
 * Every id is looked up by itself, through indexes: `OFFSET 0` keeps the planner from reading a table that was small
 * when it planned as a whole.
 */
function createStatements(namespace: Namespace): Readonly<Record<LookupKind, Statement>> {
  const statement = statementsOf(namespace);
  const text = (kind: LookupKind, table: string, alias: string) => `
    SELECT ${CLOCK_COLUMNS},
      (SELECT true FROM @pruned_ids p WHERE p.message_id = i.id) IS NOT NULL,
      ${smallColumns(COLUMNS[kind], SMALL_BYTES)},
      i.number
    FROM ${CLOCK}
    CROSS JOIN unnest($1::bytea[]) WITH ORDINALITY i (id, number)
    LEFT JOIN LATERAL (SELECT t.* FROM @message_bodies t WHERE t.message_id = i.id OFFSET 0) b ON true
    LEFT JOIN LATERAL (SELECT t.* FROM ${table} t WHERE t.message_id = b.message_id OFFSET 0) ${alias} ON true`;
  return {
    message: statement('get_messages', text('message', '@messages', 'm'), { binary: true }),
    results: statement('get_results_of_ids', text('results', '@verifier_results', 'r'), { binary: true }),
  };
}
