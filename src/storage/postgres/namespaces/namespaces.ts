import type pg from 'pg';
import { openDatabase } from '../connection/database.js';
import { isNamespaceName, parseNamespace } from '../connection/namespace.js';
import type { PostgresAddress } from '../connection/pool-settings.js';
import { failureCode, toStorageError } from '../connection/sql-errors.js';
import { ownTables } from '../migrate/own-tables.js';
import { lookAtSchema, type SchemaState, type SchemaTable } from './look.js';

/** A count that takes longer than this gives way to the server's last estimate. */
const COUNT_LIMIT_MS = 5_000;
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_LIMIT_MS = COUNT_LIMIT_MS + 10_000;
const QUERY_CANCELED = '57014';

/** Rows of a table. */
export interface CountedTable extends Omit<SchemaTable, 'estimate'> {
  readonly rows: number;
  /** The count took too long: `rows` is the server's last estimate. */
  readonly isEstimate: boolean;
}

/** A schema with its rows counted. */
export interface SchemaLook extends Omit<SchemaState, 'tables'> {
  readonly tables: readonly CountedTable[];
}

/** The namespaces of a database: one connection, transactions that cannot write. */
export interface PostgresNamespaces {
  /** Names of the schemas that are namespaces, in order. @throws StorageUnavailableError, StorageFailureError */
  names(): Promise<readonly string[]>;
  /** Looks at a schema, which need not be there. @throws as `names`, InvalidArgumentError */
  look(name: string): Promise<SchemaLook>;
  close(): Promise<void>;
}

/** Connects at once. @throws UnsuitableDatabaseError, StorageUnavailableError, StorageFailureError */
export async function openPostgresNamespaces(options: {
  readonly name: string;
  readonly connection: PostgresAddress;
  readonly connectTimeoutMs?: number;
}): Promise<PostgresNamespaces> {
  const { name: backend, connection, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options;
  const own = await ownTables();
  const { transaction, close } = await openDatabase({
    ...{ name: backend, connection, connectTimeoutMs, answerMs: ANSWER_LIMIT_MS },
    applicationName: 'ccv-indexer namespace',
  });

  async function read<T>(operation: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const limits = { statementTimeoutMs: COUNT_LIMIT_MS, lockTimeoutMs: COUNT_LIMIT_MS, idleInTxSessionTimeoutMs: 0 };
    try {
      return await transaction({ ...limits, access: 'READ ONLY' }, work);
    } catch (thrown) {
      throw toStorageError(thrown, backend, operation);
    }
  }

  async function countRows(schema: string, { table, estimate, bytes }: SchemaTable): Promise<CountedTable> {
    const text = `SELECT count(*) AS rows FROM ${schema}."${table}"`;
    const rows = await read('count rows', async (client) => {
      try {
        return Number((await client.query<{ rows: string }>(text)).rows[0]?.rows);
      } catch (thrown) {
        if (failureCode(thrown) !== QUERY_CANCELED) throw thrown;
        return null;
      }
    });
    return { table, bytes, rows: rows ?? Math.max(0, estimate), isEstimate: rows === null };
  }

  return {
    names: () =>
      read('list namespaces', async (client) => {
        const { rows } = await client.query<{ name: string }>(
          `SELECT n.nspname AS name FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
           WHERE c.relname = 'migrations' AND c.relkind = 'r' ORDER BY 1`,
        );
        const found: string[] = [];
        for (const { name } of rows)
          if (isNamespaceName(name) && (await lookAtSchema(client, parseNamespace(name), own)).isNamespace)
            found.push(name);
        return found;
      }),
    async look(name) {
      const namespace = parseNamespace(name);
      const { tables, ...state } = await read('look at a namespace', (client) => lookAtSchema(client, namespace, own));
      const counted: CountedTable[] = [];
      for (const table of tables) counted.push(await countRows(namespace.schema, table));
      return { ...state, tables: counted };
    },
    close,
  };
}
