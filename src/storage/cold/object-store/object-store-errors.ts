import { IndexerError, type IndexerErrorOptions } from '../../../core/errors.js';
import type { ByteRange } from './object-store.js';

/**
 * The object store refused for good: credentials, permissions, a missing bucket. `details` holds its name and status.
 */
export class ObjectStoreError extends IndexerError {
  constructor(message: string, options?: IndexerErrorOptions) {
    super('OBJECT_STORE_FAILED', message, false, options);
  }
}

/**
 * The object store could not be reached, refused for load, or answered wrongly, every time it was asked. The same
 * call can succeed later. A write may have had its effect.
 */
export class ObjectStoreUnavailableError extends IndexerError {
  constructor(message: string, options?: IndexerErrorOptions) {
    super('OBJECT_STORE_UNAVAILABLE', message, true, options);
  }
}

/** No object is stored under the key. */
export class ObjectNotFoundError extends IndexerError {
  readonly key: string;
  constructor(key: string, options: IndexerErrorOptions = {}) {
    super('OBJECT_NOT_FOUND', `no object ${key}`, false, { ...options, details: { ...options.details, key } });
    this.key = key;
  }
}

/** A range reaches past the end of its object: the object is not the one that the caller knows the size of. */
export class ObjectRangeError extends IndexerError {
  constructor(key: string, range: ByteRange, options: IndexerErrorOptions = {}) {
    super('OBJECT_RANGE', `bytes ${range.start} to ${range.endExclusive} reach past the end of object ${key}`, false, {
      ...options,
      details: { ...options.details, key, ...range },
    });
  }
}

/** The reason for which one object was not deleted. */
export interface DeleteFailure {
  readonly key: string;
  /** The store's own name for the reason, such as `AccessDenied` or `EACCES`. */
  readonly reason: string;
}

/** The store refused to delete some objects; all others of the call are deleted. */
export class ObjectDeleteError extends IndexerError {
  readonly failures: readonly DeleteFailure[];
  constructor(failures: readonly DeleteFailure[], options: IndexerErrorOptions = {}) {
    super('OBJECT_DELETE_FAILED', `${failures.length} objects could not be deleted`, false, {
      ...options,
      details: { ...options.details, count: failures.length, failures: failures.slice(0, 10) },
    });
    this.failures = failures;
  }
}
