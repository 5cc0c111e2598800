import { toBoolean, toNumber, toText } from '../rows/columns.js';
import type { Diagnosis } from './diagnose.js';

/** Rows of a table that no transaction needs, against the number from which autovacuum removes them. */
export interface TableHealth {
  readonly table: string;
  readonly deadRows: number;
  /** Autovacuum comes once there are more dead rows. */
  readonly vacuumAbove: number;
  /** It is switched off for the server or this table. */
  readonly isVacuumOff: boolean;
  /** Unix ms; null: never since the statistics were reset. */
  readonly lastVacuumMs: number | null;
}

/** A setting of a table, or else of the server. */
const setting = (name: string) =>
  `coalesce((SELECT o.option_value FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = '${name}'),
     current_setting('${name}', true), 'true')`;

/** The tables of the namespace, the one with the most dead rows first. */
export async function tableHealth({ ask, namespace }: Diagnosis): Promise<readonly TableHealth[]> {
  const rows = await ask(
    'look at its tables',
    `SELECT s.relname, s.n_dead_tup,
       ${setting('autovacuum_vacuum_threshold')}::float8
         + ${setting('autovacuum_vacuum_scale_factor')}::float8
         * greatest(c.reltuples, 0),
       current_setting('autovacuum') = 'off' OR ${setting('autovacuum_enabled')} IN ('false', 'off', '0'),
       (extract(epoch FROM greatest(s.last_vacuum, s.last_autovacuum)) * 1000)::bigint
     FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
     WHERE s.schemaname = $1 ORDER BY 2 DESC`,
    [namespace],
  );
  return rows.map(
    (row): TableHealth => ({
      table: toText(row[0]),
      deadRows: toNumber(row[1]),
      vacuumAbove: Math.round(toNumber(row[2])),
      isVacuumOff: toBoolean(row[3]),
      lastVacuumMs: row[4] == null ? null : toNumber(row[4]),
    }),
  );
}
