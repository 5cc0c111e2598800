import { openDatabase } from '../connection/database.js';
import type { PostgresAddress } from '../connection/pool-settings.js';
import { toStorageError } from '../connection/sql-errors.js';

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/** Names of a rebuild that was cut off: the index that it was of is whole. */
const LEFTOVER = /_cc(?:new|old)\d*$/;

/** The statement that mends an invalid index, or drops what a rebuild has left; others read and write on meanwhile. */
export function mendIndex(namespace: string, index: string): string {
  const name = `"${namespace}"."${index}"`;
  return LEFTOVER.test(index) ? `DROP INDEX CONCURRENTLY ${name}` : `REINDEX INDEX CONCURRENTLY ${name}`;
}

/** The statement that removes the dead rows of a table. */
export function vacuumTable(namespace: string, table: string): string {
  return `VACUUM (ANALYZE) "${namespace}"."${table}"`;
}

/** Runs one of these statements. @throws StorageUnavailableError, StorageFailureError */
export async function runStatement(
  options: { readonly name: string; readonly connection: PostgresAddress; readonly connectTimeoutMs?: number },
  text: string,
): Promise<void> {
  const { name, connection, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options;
  const database = await openDatabase({
    ...{ name, connection, connectTimeoutMs, applicationName: 'ccv-indexer doctor' },
    // an index of a large table takes hours
    answerMs: 0,
  });
  try {
    await database.alone(text);
  } catch (thrown) {
    throw toStorageError(thrown, name, 'repair');
  } finally {
    await database.close();
  }
}
