import type pg from 'pg';
import type { MoveRecord } from '../../move-store.js';
import type { Namespace } from '../connection/namespace.js';
import { otherConnections } from '../connection/other-connections.js';

/** A table of a schema. */
export interface SchemaTable {
  readonly table: string;
  /** The server's last estimate; -1: it has made none. */
  readonly estimate: number;
  /** With indexes and large values. */
  readonly bytes: number;
}

/** The processes at work on a namespace, as far as they can be seen. */
export interface NamespaceUse {
  /** Connections that the server lets the account see. */
  readonly connections: number;
  /** Workers whose last sign of life still counts. */
  readonly workers: number;
}

/** A schema, at one moment. */
export interface SchemaState {
  /** Whether it is a namespace: it has the table of our migrations, alone or beside our commit clock. */
  readonly isNamespace: boolean;
  /** Of a namespace: the tables that this program makes, those that are there. */
  readonly tables: readonly SchemaTable[];
  /** All other tables and views in the schema. */
  readonly foreign: readonly string[];
  readonly use: NamespaceUse;
  /** The last commit; position 0 and -1 ms before the first. */
  readonly position: bigint;
  readonly headMs: number;
  /** The last move that it takes or took part in; null: none. */
  readonly move: MoveRecord | null;
}

const NOW_MS = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/**
 * Looks at a schema of any version of this program, or of none.
 * @param own the tables that this program makes.
 */
export async function lookAtSchema(
  client: pg.Client,
  namespace: Namespace,
  own: ReadonlySet<string>,
): Promise<SchemaState> {
  const { schema } = namespace;
  const all = await tablesIn(client, namespace);
  const has = (name: string) => all.some(({ table }) => table === name);
  // another program may have a table of that name as well
  const isNamespace = has('migrations') && (has('ingest_clock') || all.length === 1);
  const tables = all.filter(({ table }) => isNamespace && own.has(table));
  const foreign = all.flatMap((each) => (tables.includes(each) ? [] : [each.table]));
  const first = async <T extends object>(table: string, columns: string) =>
    isNamespace && has(table)
      ? ((await client.query<T>(`SELECT ${columns} FROM ${schema}.${table}`)).rows[0] ?? null)
      : null;
  const clock = await first<{ position: string; ms: string }>(
    'ingest_clock',
    'last_position AS position, last_ms AS ms',
  );
  const members = await first<{ workers: string }>(
    'members',
    `count(*) FILTER (WHERE expires_ms > ${NOW_MS}) AS workers`,
  );
  const move = await first<{ revision: string; state: string }>('move', 'revision, state');
  const { rows } = await client.query<{ count: string }>(otherConnections(namespace));
  return {
    isNamespace,
    tables,
    foreign,
    use: { connections: Number(rows[0]?.count ?? 0), workers: Number(members?.workers ?? 0) },
    position: BigInt(clock?.position ?? 0),
    headMs: Number(clock?.ms ?? -1),
    move: move && { revision: Number(move.revision), state: move.state },
  };
}

async function tablesIn(client: pg.Client, { name }: Namespace): Promise<readonly SchemaTable[]> {
  const { rows } = await client.query<{ name: string; estimate: string; bytes: string }>(
    `SELECT c.relname AS name, c.reltuples::bigint AS estimate, pg_total_relation_size(c.oid) AS bytes
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1`,
    [name],
  );
  return rows.map((row) => ({ table: row.name, estimate: Number(row.estimate), bytes: Number(row.bytes) }));
}
