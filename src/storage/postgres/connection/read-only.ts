import { openDatabase } from './database.js';
import type { PostgresAddress } from './pool-settings.js';
import { RAW_TYPES } from './session.js';
import type { Row } from './statement.js';

/** One connection that cannot write, for looks at a database beside the processes that work on it. */
export interface ReadOnlyDatabase {
  /** Between us and the server is a pooler. */
  readonly pooled: boolean;
  /** Rows as the server sends them, of a transaction of its own. `limitMs`: statement timeout, 0 = none. */
  query(text: string, values?: readonly unknown[], limitMs?: number): Promise<readonly Row[]>;
  close(): Promise<void>;
}

/** Connects at once. @throws the errors of `openDatabase`. */
export async function openReadOnly(options: {
  readonly name: string;
  readonly connection: PostgresAddress;
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  /** The longest wait for an answer. */
  readonly answerMs: number;
}): Promise<ReadOnlyDatabase> {
  const { pooled, transaction, close } = await openDatabase(options);
  return {
    pooled,
    async query(text, values = [], limitMs = 0) {
      const limits = { statementTimeoutMs: limitMs, lockTimeoutMs: limitMs, idleInTxSessionTimeoutMs: 0 };
      return await transaction({ ...limits, access: 'READ ONLY' }, async (client) => {
        const { rows } = await client.query<(string | null)[]>({
          ...{ text, values: [...values], types: RAW_TYPES },
          rowMode: 'array',
        });
        return rows;
      });
    },
    close,
  };
}
