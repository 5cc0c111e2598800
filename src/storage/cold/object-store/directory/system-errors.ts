import { ObjectStoreError, ObjectStoreUnavailableError } from '../object-store-errors.js';

/** The code of a system error such as `ENOENT`; undefined for any other value. */
export function systemErrorCode(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('errno' in thrown) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

// a full, busy or stumbling disk gets better; a missing permission does not
const TEMPORARY: ReadonlySet<string> = new Set([
  'EAGAIN',
  'EBUSY',
  'EDQUOT',
  'EINTR',
  'EIO',
  'EMFILE',
  'ENFILE',
  'ENOLCK',
  'ENOMEM',
  'ENOSPC',
  'ESTALE',
  'ETIMEDOUT',
]);

/** A system error as the store's own; any other value as it is. */
export function directoryError(operation: string, thrown: unknown): unknown {
  const code = systemErrorCode(thrown);
  if (code === undefined) return thrown;
  const options = { cause: thrown, details: { operation, code } };
  return TEMPORARY.has(code)
    ? new ObjectStoreUnavailableError(`the directory of objects cannot ${operation} now: ${code}`, options)
    : new ObjectStoreError(`the directory of objects cannot ${operation}: ${code}`, options);
}
