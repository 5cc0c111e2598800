import { access, constants, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { S3Section } from '../config/schema/s3-schema.js';
import type { Common } from '../core/common.js';
import { IndexerError, InvalidArgumentError } from '../core/errors.js';
import { createDirectoryObjectStore } from '../storage/cold/object-store/directory/directory-store.js';
import type { ObjectStore } from '../storage/cold/object-store/object-store.js';
import { ObjectNotFoundError, ObjectStoreUnavailableError } from '../storage/cold/object-store/object-store-errors.js';
import type { S3ObjectStore } from '../storage/cold/object-store/s3/s3-store.js';
import { type Alternative, refusal } from './object-store-advice.js';

/** An object store of the configuration. Its opener closes it, after everything that works on it. */
export interface OpenedObjectStore {
  readonly store: ObjectStore;
  /** For people: the directory, or the bucket with its server and prefix. */
  readonly place: string;
  /**
   * Tries on small objects whether the bucket does all that is needed, unless that was done before: a server that
   * overwrites, say, would lose commits. Nothing else is written before it has succeeded. A directory is created, and
   * must be writable.
   * @throws IndexerError COLD_STORE_REFUSED with the next step; ObjectStoreUnavailableError when it could not be
   * reached.
   */
  check(): Promise<void>;
  /**
   * Asks for a name or two and a byte: enough to tell whether the place is there and may be read. A directory need not
   * be there yet.
   * @throws IndexerError COLD_STORE_REFUSED with the next step, or a retryable one naming the place.
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
    checked ??= bucket()
      .then((store) => store.check())
      .catch(async (thrown: unknown) => {
        checked = null;
        const others = alternatives(section, common, (store) => store.check());
        throw await refusal(name, `keep anything in ${place}`, thrown, others);
      });
    return checked;
  };
  const look = async () => {
    try {
      await lookInto(await bucket());
    } catch (thrown) {
      const refused = await refusal(name, `read anything in ${place}`, thrown, alternatives(section, common, lookInto));
      throw refused instanceof ObjectStoreUnavailableError
        ? new IndexerError(refused.code, `backend ${name} cannot reach ${place}`, true, { cause: thrown })
        : refused;
    }
  };
  const store: ObjectStore = {
    // a server that could not be reached at start is checked before it is first written to
    putIfAbsent: async (key, bytes) => {
      await check();
      return await (await bucket()).putIfAbsent(key, bytes);
    },
    get: async (key, range) => await (await bucket()).get(key, range),
    head: async (key) => await (await bucket()).head(key),
    list: async (prefix, options) => await (await bucket()).list(prefix, options),
    deleteMany: async (keys) => await (await bucket()).deleteMany(keys),
    close: async () => await (await bucket()).close(),
  };
  return { store, place, check, look };
}

/** Finds out whether objects can be listed and read, before anything depends on it. */
async function lookInto(bucket: ObjectStore): Promise<void> {
  const { objects } = await bucket.list('', { limit: 2 });
  const some = objects.find(({ sizeBytes }) => sizeBytes > 0);
  if (!some) return;
  try {
    await bucket.get(some.key, { start: 0, endExclusive: 1 });
  } catch (thrown) {
    // it was deleted just then
    if (!(thrown instanceof ObjectNotFoundError)) throw thrown;
  }
}

/** The same bucket with other settings that servers are known to differ in. */
function alternatives(
  section: S3Section,
  common: Common,
  attempt: (store: S3ObjectStore) => Promise<void>,
): readonly Alternative[] {
  const checksums = section.ChecksumMode === 'when_required' ? 'when_supported' : 'when_required';
  const others: readonly [setting: string, change: Partial<S3Section>][] = [
    [`ChecksumMode = "${checksums}"`, { ChecksumMode: checksums }],
    [`ForcePathStyle = ${!section.ForcePathStyle}`, { ForcePathStyle: !section.ForcePathStyle }],
  ];
  return others.map(([setting, change]) => ({
    setting,
    works: async () => {
      const store = await openBucket({ ...section, ...change }, common)();
      try {
        await attempt(store);
      } finally {
        await store.close();
      }
    },
  }));
}

async function checkDirectory(name: string, directory: string): Promise<void> {
  if (process.platform === 'win32')
    throw new IndexerError(
      'COLD_STORE_REFUSED',
      `backend ${name} cannot keep anything in ${directory}: Windows makes no names of files durable, so a power cut ` +
        'could lose what was pruned from the database; use a Bucket in place of Directory',
      false,
      { details: { backend: name } },
    );
  try {
    await mkdir(directory, { recursive: true });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new IndexerError(
      'COLD_STORE_REFUSED',
      `backend ${name} cannot keep anything in ${directory}: create it and let this account read and write there, ` +
        'or correct Directory',
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

/** The client for S3 is loaded when the bucket is first asked: a process that has none starts sooner. */
function openBucket(section: S3Section, common: Common): () => Promise<S3ObjectStore> {
  const { Bucket, Region, Endpoint, AccessKeyID, SecretAccessKey, SessionToken } = section;
  if (Bucket === undefined || Region === undefined)
    throw new InvalidArgumentError('an S3 table needs a Directory, or a Bucket and its Region');
  const hasKeys = AccessKeyID !== undefined && SecretAccessKey !== undefined;
  const options = {
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
  };
  let opened: Promise<S3ObjectStore> | undefined;
  return () => {
    opened ??= import('../storage/cold/object-store/s3/s3-store.js').then((s3) => s3.createS3ObjectStore(options));
    return opened;
  };
}
