import pg from 'pg';
import { IndexerError, toError } from '../../../core/errors.js';
import { StorageFailureError, StorageUnavailableError } from '../../../model/storage-errors.js';

/**
 * The meaning of a failed piece of database work.
 *
 * `serialization`: lost a race, run it again · `connection`: the connection is gone or never was; its work may or
 * may not have happened · `session`: nothing happened, and nothing will on this connection; another may do ·
 * `unavailable`: the server said that it cannot now · `content`: the server refused these values · `failure`: trying
 * again will not mend it.
 */
export type FailureKind = 'serialization' | 'connection' | 'session' | 'unavailable' | 'content' | 'failure';

/** Codes that differ from their class. PostgreSQL manual, appendix A. */
const BY_CODE: Readonly<Record<string, FailureKind>> = {
  '26000': 'session', // invalid_sql_statement_name: prepared statements are gone (DISCARD ALL, a pooler)
  '40001': 'serialization', // serialization_failure
  '40003': 'connection', // statement_completion_unknown
  '40P01': 'serialization', // deadlock_detected
  '25P03': 'connection', // idle_in_transaction_session_timeout
  '25P04': 'connection', // transaction_timeout
  '42P05': 'session', // duplicate_prepared_statement: another client's session (a pooler)
  '53300': 'connection', // too_many_connections: there was none
  '57014': 'unavailable', // query_canceled: statement_timeout
  '57P01': 'connection', // admin_shutdown
  '57P02': 'connection', // crash_shutdown
  '57P03': 'connection', // cannot_connect_now
  '57P04': 'connection', // database_dropped
  '57P05': 'connection', // idle_session_timeout
};

const BY_CLASS: Readonly<Record<string, FailureKind>> = {
  '08': 'connection', // connection exception
  '22': 'content', // data exception
  '23': 'content', // integrity constraint violation
  '25': 'session', // invalid transaction state: left in a failed transaction, or read-only since a switch-over
  '53': 'unavailable', // insufficient resources
  '54': 'content', // program limit exceeded
  '55': 'unavailable', // object not in prerequisite state: lock_timeout, a database that takes no connections
  '58': 'unavailable', // system error: the server's disk
};

/** The one failure of code 0A000 that is the session's fault: a table was altered under a prepared plan. */
const STALE_PLAN = 'RevalidateCachedQuery';

/** The codes of a refused server certificate: another attempt meets the same one. */
const TLS_REFUSALS: ReadonlySet<string> = new Set([
  ...['SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ...['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'CERT_UNTRUSTED', 'CERT_REVOKED'],
]);

/** Classifies by SQLSTATE; an error without one is not the server's, so the connection is at fault. */
export function classifyFailure(thrown: unknown): FailureKind {
  if (thrown instanceof pg.DatabaseError) {
    const { code = '', routine } = thrown;
    if (code === '0A000' && routine === STALE_PLAN) return 'session';
    return BY_CODE[code] ?? BY_CLASS[code.slice(0, 2)] ?? 'failure';
  }
  // a mistake of ours, not of the connection
  if (thrown instanceof TypeError || thrown instanceof RangeError) return 'failure';
  return TLS_REFUSALS.has(failureCode(thrown) ?? '') ? 'failure' : 'connection';
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
  '25006': 'let the URI lead to a server that takes writes, and see default_transaction_read_only',
  '28P01': 'check user and password',
  '28000': 'check user, password and pg_hba.conf; a server that insists on TLS needs sslmode in the URI',
};

function nextStepFor(code: string): string | undefined {
  return TLS_REFUSALS.has(code)
    ? 'name the authority of the server’s certificate by sslrootcert in the URI, and the server as the certificate does'
    : NEXT_STEP[code];
}

/** The error that callers of a storage see. */
export function toStorageError(thrown: unknown, backend: string, operation: string): IndexerError {
  if (thrown instanceof IndexerError) return thrown;
  const kind = classifyFailure(thrown);
  const code = failureCode(thrown);
  const nextStep = code === null ? undefined : nextStepFor(code);
  const options = { cause: toError(thrown), details: { kind, code, ...(nextStep ? { nextStep } : {}) } };
  return kind === 'content' || kind === 'failure'
    ? new StorageFailureError(backend, operation, options)
    : new StorageUnavailableError(backend, operation, options);
}
