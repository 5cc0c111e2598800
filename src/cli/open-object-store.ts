import { access, constants, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { S3Section } from '../config/s3-schema.js';
import type { Common } from '../core/common.js';
import { IndexerError, InvalidArgumentError, toError } from '../core/errors.js';
import { createDirectoryObjectStore } from '../storage/s3/directory-object-store.js';
import type { ObjectStore } from '../storage/s3/object-store.js';
import { ObjectStoreError, ObjectStoreUnavailableError } from '../storage/s3/object-store-errors.js';
import { createS3ObjectStore } from '../storage/s3/s3-object-store.js';

/** An object store of the configuration. Whoever opened it closes it, after everything that works on it. */
export interface OpenedObjectStore {
  readonly store: ObjectStore;
  /** For people: the directory, or the bucket with its server and prefix. */
  readonly place: string;
  /**
   * Writes a small object and tries to overwrite it, unless that was done before: a server that lets it happen would lose
   * commits. Nothing else is written before it has succeeded. A directory is created, and must be writable.
   * @throws IndexerError COLD_STORE_REFUSED saying what to do; ObjectStoreUnavailableError when it could not be reached.
   */
  check(): Promise<void>;
  /**
   * Asks for a name or two: enough to tell whether the place is there and may be read. A directory need not be there yet.
   * @throws IndexerError COLD_STORE_REFUSED saying what to do, or a retryable one naming the place.
   */
  look(): Promise<void>;
}

/** Opens the place that an `S3` table names; nothing is asked of it yet. */
export function openObjectStore(name: string, section: S3Section, common: Common): OpenedObjectStore {
  if (section.Directory !== undefined) {
    const store = createDirectoryObjectStore({ directory: section.Directory, common });
    const place = resolve(section.Directory);
    return { store, place, check: () => checkDirectory(name, place), look: () => lookAtDirectory(name, place) };
  }
  const bucket = openBucket(section, common);
  const { Bucket, Endpoint = 'AWS', Prefix } = section;
  const place = `bucket ${Bucket}${Prefix ? `/${Prefix}` : ''} at ${Endpoint}`;
  let checked: Promise<void> | null = null;
  const check = () => {
    checked ??= bucket.checkConditionalWrites().catch((thrown: unknown) => {
      checked = null;
      throw refusal(name, `keep anything in ${place}`, thrown);
    });
    return checked;
  };
  const look = async () => {
    try {
      await bucket.list('', { limit: 1 });
    } catch (thrown) {
      throw thrown instanceof ObjectStoreUnavailableError
        ? new IndexerError(thrown.code, `backend ${name} cannot reach ${place}`, true, { cause: thrown })
        : refusal(name, `read anything in ${place}`, thrown);
    }
  };
  const store: ObjectStore = {
    // a server that could not be reached at start is checked before it is first written to
    putIfAbsent: async (key, bytes) => {
      await check();
      return await bucket.putIfAbsent(key, bytes);
    },
    get: (key, range) => bucket.get(key, range),
    head: (key) => bucket.head(key),
    list: (prefix, options) => bucket.list(prefix, options),
    deleteMany: (keys) => bucket.deleteMany(keys),
    close: () => bucket.close(),
  };
  return { store, place, check, look };
}

async function checkDirectory(name: string, directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new IndexerError(
      'COLD_STORE_REFUSED',
      `backend ${name} cannot keep anything in ${directory}: create it and let this account read and write there, or correct Directory`,
      false,
      { cause, details: { backend: name } },
    );
  }
}

async function lookAtDirectory(name: string, directory: string): Promise<void> {
  try {
    await access(directory, constants.R_OK | constants.X_OK);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new IndexerError(
      'COLD_STORE_REFUSED',
      `backend ${name} cannot read anything in ${directory}: let this account read there, or correct Directory`,
      false,
      { cause, details: { backend: name } },
    );
  }
}

function openBucket(section: S3Section, common: Common) {
  const { Bucket, Region, Endpoint, AccessKeyID, SecretAccessKey, SessionToken } = section;
  if (Bucket === undefined || Region === undefined)
    throw new InvalidArgumentError('an S3 table needs a Directory, or a Bucket and its Region');
  const hasKeys = AccessKeyID !== undefined && SecretAccessKey !== undefined;
  return createS3ObjectStore({
    bucket: Bucket,
    region: Region,
    prefix: section.Prefix,
    pathStyle: section.ForcePathStyle,
    checksums: section.ChecksumMode,
    maxAttempts: section.MaxAttempts,
    requestTimeoutMs: section.RequestTimeout,
    hedgeAfterMs: section.HedgeDelay,
    maxConnections: section.MaxConnections,
    common,
    ...(Endpoint === undefined ? {} : { endpoint: Endpoint }),
    ...(hasKeys
      ? {
          credentials: {
            accessKeyId: AccessKeyID,
            secretAccessKey: SecretAccessKey,
            ...(SessionToken === undefined ? {} : { sessionToken: SessionToken }),
          },
        }
      : {}),
  });
}

/** What S3 calls a refusal, and what an operator does about it. */
const ADVICE: Readonly<Record<string, string>> = {
  NoSuchBucket: 'create the bucket, or correct Bucket, Region and Endpoint',
  AccessDenied: 'allow these credentials to list the bucket and to get, put and delete its objects',
  InvalidAccessKeyId: 'correct AccessKeyID, or leave the keys out for the usual AWS chain',
  SignatureDoesNotMatch: 'correct SecretAccessKey',
  PermanentRedirect: 'correct Region',
  AuthorizationHeaderMalformed: 'correct Region',
};
const OVERWRITES =
  'use a server that honours If-None-Match on PutObject (AWS S3, MinIO, Ceph from Reef on): without it two writers overwrite each other';

/** A failure to reach the store stays what it is: it may pass. */
function refusal(name: string, what: string, thrown: unknown): Error {
  if (!(thrown instanceof ObjectStoreError)) return toError(thrown);
  const isOverwritten = 'answers' in thrown.details;
  const reason = typeof thrown.details['name'] === 'string' ? thrown.details['name'] : '';
  const advice = isOverwritten ? OVERWRITES : (ADVICE[reason] ?? 'see what the server says');
  return new IndexerError(
    'COLD_STORE_REFUSED',
    `backend ${name} cannot ${what}${reason ? ` (${reason})` : ''}: ${advice}`,
    false,
    { cause: thrown, details: { backend: name, reason } },
  );
}
