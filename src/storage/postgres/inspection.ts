import type { Hex } from '../../core/hex.js';
import { CLOCK, CLOCK_COLUMNS, CLOCK_WIDTH, decodeClock } from './clock/clock-row.js';
import { DEFAULT_NAMESPACE, type Namespace, parseNamespace } from './connection/namespace.js';
import { otherConnections } from './connection/other-connections.js';
import type { PostgresAddress } from './connection/pool-settings.js';
import { openReadOnly } from './connection/read-only.js';
import { failureCode, toStorageError } from './connection/sql-errors.js';
import { statementsOf } from './connection/statement.js';
import { toBigint, toBoolean, toHex, toNumber, toText } from './rows/columns.js';

/** A count that takes longer than this gives way to the server's last estimate. */
const COUNT_LIMIT_MS = 5_000;
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
/** The longest wait for an answer; a count has given up by itself before. */
const ANSWER_LIMIT_MS = COUNT_LIMIT_MS + 10_000;
const QUERY_CANCELED = '57014';
/** Ids from each end of each table. */
const SAMPLE_IDS = 4;

/** One table of a namespace. */
export interface PostgresTable {
  readonly table: string;
  readonly rows: number;
  /** The count took too long: `rows` is the server's last estimate. */
  readonly isEstimate: boolean;
  /** With indexes and large values. */
  readonly bytes: number;
}

/** The state of a namespace and its tables; times are unix ms, -1 = none. */
export interface PostgresDescription {
  readonly namespace: string;
  readonly position: bigint;
  /** Above `position` in the middle of a restore, or while it follows another database. */
  readonly headPosition: bigint;
  readonly headMs: number;
  /** At and below these records are pruned. */
  readonly floorPosition: bigint;
  readonly floorMs: number;
  /** Of the records that lists show. */
  readonly oldestMs: number;
  readonly newestMs: number;
  /** Commits were made here, not only taken over from elsewhere. */
  readonly hasOwnCommits: boolean;
  readonly tables: readonly PostgresTable[];
}

/** Looks at a namespace beside the processes that work on it. One connection, transactions that cannot write. */
export interface PostgresInspection {
  /** @throws StorageUnavailableError, StorageFailureError (with the next step, when it is not migrated). */
  describe(): Promise<PostgresDescription>;
  /** Some of the message ids that anything is stored of, the first and last stored among them. */
  sampleIds(): Promise<readonly { readonly messageId: Hex; readonly firstMs: number }[]>;
  /** Connections of processes that work on the namespace, as far as the server lets this account see. */
  otherConnections(): Promise<number>;
  close(): Promise<void>;
}

/** Connects at once. @throws StorageUnavailableError, StorageFailureError */
export async function inspectPostgres(options: {
  readonly name: string;
  readonly connection: PostgresAddress;
  readonly namespace?: string;
  readonly connectTimeoutMs?: number;
}): Promise<PostgresInspection> {
  const { name, connection, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options;
  const namespace = parseNamespace(options.namespace ?? DEFAULT_NAMESPACE);
  const sql = createStatements(namespace);
  const { query, close } = await openReadOnly({
    ...{ name, connection, connectTimeoutMs, answerMs: ANSWER_LIMIT_MS },
    applicationName: 'ccv-indexer inspection',
  });

  async function guarded<T>(operation: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      throw toStorageError(thrown, name, operation);
    }
  }

  async function countRows(table: string): Promise<number | null> {
    try {
      const [row] = await query(sql.count(table), [], COUNT_LIMIT_MS);
      return toNumber(row?.[0]);
    } catch (thrown) {
      if (failureCode(thrown) !== QUERY_CANCELED) throw thrown;
      return null;
    }
  }

  async function describeTables(): Promise<PostgresTable[]> {
    const tables: PostgresTable[] = [];
    for (const row of await query(sql.tables, [namespace.name])) {
      const table = toText(row[0]);
      const counted = await countRows(table);
      const rows = counted ?? Math.max(0, toNumber(row[2]));
      tables.push({ table, rows, isEstimate: counted === null, bytes: toNumber(row[1]) });
    }
    return tables;
  }

  return {
    describe: () =>
      guarded('describe itself', async () => {
        const [row = []] = await query(sql.state);
        const clock = decodeClock(row);
        const [oldest, newest, own] = row.slice(CLOCK_WIDTH);
        return {
          namespace: namespace.name,
          position: clock.lastPosition,
          headPosition: clock.headPosition,
          headMs: clock.lastMs,
          floorPosition: clock.floorPosition,
          floorMs: clock.floorMs,
          oldestMs: oldest == null ? -1 : toNumber(oldest),
          newestMs: newest == null ? -1 : toNumber(newest),
          hasOwnCommits: toBoolean(own),
          tables: await describeTables(),
        };
      }),
    sampleIds: () =>
      guarded('sample its records', async () =>
        (await query(sql.sample)).map((row) => ({ messageId: toHex(row[0]), firstMs: toNumber(row[1]) })),
      ),
    otherConnections: () =>
      guarded('list connections', async () => {
        const { text, values } = otherConnections(namespace);
        const [row] = await query(text, values);
        return Number(toBigint(row?.[0]));
      }),
    close,
  };
}

function createStatements(namespace: Namespace) {
  const statement = statementsOf(namespace);
  const text = (of: string) => statement('', of).text;
  const extreme = (of: 'min' | 'max') =>
    `(SELECT ${of}(x) FROM (SELECT (SELECT ${of}(ingestion_ms) FROM @messages WHERE NOT orphaned) AS x
        UNION ALL SELECT (SELECT ${of}(ingestion_ms) FROM @verifier_results WHERE NOT orphaned)) e)`;
  const ends = (table: string) =>
    ['', ' DESC']
      .map((order) => `(SELECT message_id FROM @${table} ORDER BY position${order} LIMIT ${SAMPLE_IDS})`)
      .join(' UNION ');
  return {
    state: text(
      `SELECT ${CLOCK_COLUMNS}, ${extreme('min')}, ${extreme('max')},
         EXISTS (SELECT FROM @commits WHERE writer <> 0) FROM ${CLOCK}`,
    ),
    // reltuples: -1 before the first count
    tables: `SELECT c.relname, pg_total_relation_size(c.oid), c.reltuples::bigint FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname <> 'migrations' ORDER BY 2 DESC, 1`,
    count: (table: string) => `SELECT count(*) FROM ${namespace.schema}."${table}"`,
    sample: text(
      `SELECT b.message_id, b.first_ms FROM (${ends('messages')} UNION ${ends('verifier_results')}) e
         JOIN @message_bodies b ON b.message_id = e.message_id`,
    ),
  };
}
