import { toBoolean, toNumber, toText } from '../rows/columns.js';
import type { Diagnosis } from './diagnose.js';

/** One index of the namespace. */
export interface IndexHealth {
  readonly index: string;
  readonly table: string;
  /** False: a build or rebuild was cut off, and no query uses it. */
  readonly isValid: boolean;
  readonly bytes: number;
  /** Its size were it built anew, by the statistics of its columns; 0 = there are none yet. */
  readonly packedBytes: number;
}

/** Bytes of an entry beside its key: header, pointer, alignment. */
const ENTRY_BYTES = 16;
/** A page is filled to nine tenths when an index is built. */
const PAGE_BYTES = 8_192 * 0.9;

/** The indexes of the namespace, by name. */
export async function indexHealth({ ask, namespace }: Diagnosis): Promise<readonly IndexHealth[]> {
  const rows = await ask(
    'look at its indexes',
    `SELECT c.relname, t.relname, i.indisvalid AND i.indisready, pg_relation_size(c.oid),
       ceil(greatest(c.reltuples, 0) * (${ENTRY_BYTES} + (SELECT coalesce(sum(s.avg_width), 0) FROM pg_attribute a
         JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = t.relname AND s.attname = a.attname
         WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::smallint[]))) / ${PAGE_BYTES})::bigint * 8192
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
       JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 ORDER BY 1`,
    [namespace],
  );
  return rows.map(
    (row): IndexHealth => ({
      index: toText(row[0]),
      table: toText(row[1]),
      isValid: toBoolean(row[2]),
      bytes: toNumber(row[3]),
      packedBytes: toNumber(row[4]),
    }),
  );
}
