/**
 * A part of an object, in bytes from its start: `0 <= start < endExclusive`, both integers, wholly inside the object.
 */
export interface ByteRange {
  readonly start: number;
  readonly endExclusive: number;
}

/** The facts of an object that a store knows without reading it. */
export interface ObjectHead {
  readonly sizeBytes: number;
  /** Time of creation by the store's own clock, unix ms (S3 gives whole seconds). */
  readonly modifiedMs: number;
}

/** An object of a listing. */
export interface ListedObject extends ObjectHead {
  readonly key: string;
}

/** The wanted part of a listing. */
export interface ListOptions {
  /** The key before the first one; it need not exist. */
  readonly startAfter?: string;
  /** The most objects of the page, from 1 to `MAX_PAGE_OBJECTS`, which is the default. */
  readonly limit?: number;
}

/** One page of a listing. */
export interface ObjectPage {
  /** Objects in byte order of their keys' UTF-8. */
  readonly objects: readonly ListedObject[];
  /** The `startAfter` of the next page; null when this is the last. */
  readonly next: string | null;
}

/** The most objects a page of a listing holds: S3's own limit. */
export const MAX_PAGE_OBJECTS = 1000;

/**
 * Immutable objects by key: a bucket, or a directory. An object appears whole or not at all, is never overwritten,
 * and is visible to every reader as soon as its write has returned.
 *
 * Keys are relative to the store's own prefix; `checkObjectKey` says which are allowed. A key that continues another
 * one after a `/` (`a` and `a/b`) cannot exist beside it in a directory.
 *
 * Every method throws
 * - `ObjectStoreUnavailableError` (retryable) when the store could not be reached, refused for load or answered
 *   wrongly, after the implementation's own retries. A write may have had its effect all the same.
 * - `ObjectStoreError` when it refused for good: credentials, permissions, a missing bucket.
 * - `InvalidArgumentError` for a key, range or limit outside the above.
 * - `ClosedError` after `close`, and for calls that are running then.
 */
export interface ObjectStore {
  /**
   * Writes an object unless one exists under the key: of any number of concurrent calls exactly one gets `created`. On
   * `exists` nothing was changed. `bytes` must not change until the call settles.
   */
  putIfAbsent(key: string, bytes: Uint8Array): Promise<'created' | 'exists'>;
  /**
   * The object's bytes, or a range of them, in memory of their own (`byteLength` equals `buffer.byteLength`).
   * @throws ObjectNotFoundError when there is none.
   * @throws ObjectRangeError when the range reaches past the object's end.
   */
  get(key: string, range?: ByteRange): Promise<Uint8Array>;
  /**
   * Size and age of an object.
   * @throws ObjectNotFoundError when there is none.
   */
  head(key: string): Promise<ObjectHead>;
  /** A page of the objects whose keys start with `prefix` (any text, also none or half a name). */
  list(prefix: string, options?: ListOptions): Promise<ObjectPage>;
  /**
   * Deletes objects; a key without an object counts as deleted.
   * @throws ObjectDeleteError when the store refused some for good; all others are deleted. It names each with the
   * reason.
   */
  deleteMany(keys: readonly string[]): Promise<void>;
  /** Ends running calls and frees connections. Idempotent. */
  close(): Promise<void>;
}
