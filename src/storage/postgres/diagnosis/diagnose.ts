import { DEFAULT_NAMESPACE, parseNamespace } from '../connection/namespace.js';
import type { PostgresAddress } from '../connection/pool-settings.js';
import { openReadOnly } from '../connection/read-only.js';
import { toStorageError } from '../connection/sql-errors.js';
import { type Row, statementsOf } from '../connection/statement.js';

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
/** The longest that the server may work on one question. */
const QUESTION_MS = 15_000;
const ANSWER_MARGIN_MS = 5_000;

/** Asks one question of a diagnosis; every `@table` in it is that table of the namespace. */
export type Ask = (operation: string, text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;

/** A database that is looked at by the parts of this room: one connection, transactions that cannot write. */
export interface Diagnosis {
  readonly namespace: string;
  /** Between us and the server is a pooler. */
  readonly pooled: boolean;
  readonly ask: Ask;
  close(): Promise<void>;
}

/** Connects at once. @throws UnsuitableDatabaseError, StorageUnavailableError, StorageFailureError; so does `ask`. */
export async function diagnosePostgres(options: {
  readonly name: string;
  readonly connection: PostgresAddress;
  readonly namespace?: string;
  readonly connectTimeoutMs?: number;
  /** Of one question, ms; 0 = as long as it takes. */
  readonly questionMs?: number;
}): Promise<Diagnosis> {
  const { name, connection, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS, questionMs = QUESTION_MS } = options;
  const namespace = parseNamespace(options.namespace ?? DEFAULT_NAMESPACE);
  const statement = statementsOf(namespace);
  const { pooled, query, close } = await openReadOnly({
    ...{ name, connection, connectTimeoutMs, applicationName: 'ccv-indexer doctor' },
    answerMs: questionMs === 0 ? 0 : questionMs + ANSWER_MARGIN_MS,
  });
  return {
    namespace: namespace.name,
    pooled,
    async ask(operation, text, values = []) {
      try {
        return await query(statement('', text).text, values, questionMs);
      } catch (thrown) {
        throw toStorageError(thrown, name, operation);
      }
    },
    close,
  };
}
