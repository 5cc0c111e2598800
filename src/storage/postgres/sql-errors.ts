import pg from 'pg';
import { IndexerError, toError } from '../../core/errors.js';
import { StorageFailureError, StorageUnavailableError } from '../errors.js';

/**
 * What a failed piece of database work means.
 *
 * `serialization`: lost a race, run it again · `connection`: the connection is gone or never was; what it was doing may or
 * may not have happened · `unavailable`: the server said that it cannot now · `content`: the server refused these values ·
 * `failure`: trying again will not mend it.
 */
export type FailureKind = 'serialization' | 'connection' | 'unavailable' | 'content' | 'failure';

/** Codes that differ from their class. PostgreSQL manual, appendix A. */
const BY_CODE: Readonly<Record<string, FailureKind>> = {
  '40001': 'serialization', // serialization_failure
  '40P01': 'serialization', // deadlock_detected
  '25006': 'unavailable', // read_only_sql_transaction: a failover is under way
  '25P03': 'connection', // idle_in_transaction_session_timeout
  '25P04': 'connection', // transaction_timeout
  '55P03': 'unavailable', // lock_not_available: lock_timeout
  '57014': 'unavailable', // query_canceled: statement_timeout
  '57P01': 'connection', // admin_shutdown
  '57P02': 'connection', // crash_shutdown
  '57P03': 'connection', // cannot_connect_now
  '57P05': 'connection', // idle_session_timeout
};

const BY_CLASS: Readonly<Record<string, FailureKind>> = {
  '08': 'connection', // connection exception
  '22': 'content', // data exception
  '23': 'content', // integrity constraint violation
  '53': 'unavailable', // insufficient resources
  '54': 'content', // program limit exceeded
};

/** Classifies by SQLSTATE; what has none did not come from the server, so the connection is at fault. */
export function classifyFailure(thrown: unknown): FailureKind {
  if (thrown instanceof pg.DatabaseError) {
    const code = thrown.code ?? '';
    return BY_CODE[code] ?? BY_CLASS[code.slice(0, 2)] ?? 'failure';
  }
  // a mistake of ours, not of the connection
  if (thrown instanceof TypeError || thrown instanceof RangeError) return 'failure';
  return 'connection';
}

/** SQLSTATE, or the operating system's code, or null. */
export function failureCode(thrown: unknown): string | null {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : null;
}

const NEXT_STEP: Readonly<Record<string, string>> = {
  '3D000': 'create the database',
  '3F000': 'run `ccv-indexer migrate up`',
  '42P01': 'run `ccv-indexer migrate up`',
  '42703': 'run `ccv-indexer migrate up`',
  '42501': 'grant the user what the documentation lists',
  '28P01': 'check user and password',
  '28000': 'check user and password',
};

/** The error that callers of a storage see. */
export function toStorageError(thrown: unknown, backend: string, operation: string): IndexerError {
  if (thrown instanceof IndexerError) return thrown;
  const kind = classifyFailure(thrown);
  const code = failureCode(thrown);
  const nextStep = code === null ? undefined : NEXT_STEP[code];
  const options = { cause: toError(thrown), details: { kind, code, ...(nextStep ? { nextStep } : {}) } };
  return kind === 'content' || kind === 'failure'
    ? new StorageFailureError(backend, operation, options)
    : new StorageUnavailableError(backend, operation, options);
}
