import type { Common } from '../../core/common.js';
import type { IndexerError } from '../../core/errors.js';
import { StorageUnavailableError } from '../../model/storage-errors.js';
import { type Database, openDatabase } from '../../storage/postgres/connection/database.js';
import type { PostgresAddress } from '../../storage/postgres/connection/pool-settings.js';
import { toStorageError } from '../../storage/postgres/connection/sql-errors.js';
import type { Throttle } from '../throttle.js';

const NAME = 'Go indexer';
const CONNECT_MS = 10_000;
/** The longest that a pass over a whole table may take. */
const PASS_MS = 4 * 3_600_000;
const FETCH_ROWS = 10_000;

/** The Go indexer's database, read in transactions of one statement each. Its owner may be granted SELECT alone. */
export interface GoDatabase {
  /**
   * Rows of one statement, as soon as the throttle lets them. `rows`: about how many.
   * @throws StorageUnavailableError, after which the next call connects anew; StorageFailureError
   */
  read<R>(text: string, values: readonly unknown[], rows: number, signal?: AbortSignal): Promise<readonly R[]>;
  /** The same for a statement with more rows than fit at once: `take` is given them in order, part by part. */
  readParts<R>(text: string, values: readonly unknown[], take: (rows: readonly R[]) => void): Promise<void>;
  close(): Promise<void>;
}

export function createGoDatabase(options: {
  readonly address: PostgresAddress;
  readonly throttle: Throttle;
  readonly common: Common;
}): GoDatabase {
  const { address, throttle, common } = options;
  let database: Database | null = null;
  const how = { idleInTxSessionTimeoutMs: 60_000, lockTimeoutMs: 30_000, statementTimeoutMs: PASS_MS } as const;

  async function transaction<T>(work: Parameters<Database['transaction']>[1]): Promise<T> {
    try {
      database ??= await openDatabase({
        ...{ name: NAME, connection: address, applicationName: 'ccv-indexer migration' },
        ...{ connectTimeoutMs: CONNECT_MS, answerMs: PASS_MS + CONNECT_MS },
      });
      return (await database.transaction({ ...how, access: 'READ ONLY' }, work)) as T;
    } catch (thrown) {
      const error: IndexerError = toStorageError(thrown, NAME, 'read');
      if (error instanceof StorageUnavailableError) await close();
      throw error;
    }
  }

  async function close(): Promise<void> {
    const open = database;
    database = null;
    await open?.close();
  }

  return {
    async read<R>(text: string, values: readonly unknown[], rows: number, signal?: AbortSignal) {
      await throttle.take(rows, signal);
      const startMs = common.clock.monotonicMs();
      const found = await transaction<readonly R[]>(async (client) => (await client.query(text, [...values])).rows);
      throttle.answered(common.clock.monotonicMs() - startMs);
      return found;
    },
    async readParts<R>(text: string, values: readonly unknown[], take: (rows: readonly R[]) => void) {
      await transaction(async (client) => {
        await client.query(`DECLARE parts NO SCROLL CURSOR FOR ${text}`, [...values]);
        for (;;) {
          const { rows } = await client.query(`FETCH ${FETCH_ROWS} FROM parts`);
          take(rows as readonly R[]);
          if (rows.length < FETCH_ROWS) return;
        }
      });
    },
    close,
  };
}
