import { randomUUID } from 'node:crypto';
import {
  type BucketLocationConstraint,
  CreateBucketCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { Common } from '../../../../core/common.js';
import { checkByteRange, checkListArguments, checkObjectKey, compareKeys, isObjectKey } from '../object-key.js';
import {
  type ByteRange,
  type ListedObject,
  type ListOptions,
  MAX_PAGE_OBJECTS,
  type ObjectHead,
  type ObjectPage,
  type ObjectStore,
} from '../object-store.js';
import { ObjectNotFoundError, ObjectRangeError, ObjectStoreUnavailableError } from '../object-store-errors.js';
import { readS3Body } from './answer-body.js';
import { checkBucket } from './bucket-check.js';
import { createS3Client, type S3Endpoint } from './client.js';
import { S3Deletes } from './deletes.js';
import { type S3RequestLimits, S3Requests } from './requests.js';
import { S3RequestFailure, wrongAnswer } from './s3-failures.js';

/** An S3 bucket, or the part of it under a prefix. */
export interface S3ObjectStoreOptions extends S3Endpoint, Omit<S3RequestLimits, 'maxConnections'> {
  readonly bucket: string;
  /** Put in front of every key with a slash; empty for the whole bucket. At most 100 bytes. */
  readonly prefix: string;
  /** Requests that run at once; further ones wait for a connection, and their deadlines run. Default 64. */
  readonly maxConnections?: number;
  readonly common: Common;
}

/** An object store in a bucket. */
export interface S3ObjectStore extends ObjectStore {
  /** Creates the bucket unless this account has it already. For tests and local runs: operators create theirs. */
  ensureBucket(): Promise<void>;
  /**
   * Tries on small objects of its own, which it deletes, all that the cold tier needs of a server: see `checkBucket`.
   * @throws ObjectStoreError, ObjectDeleteError when the server refuses, or does another thing than was asked for.
   */
  check(): Promise<void>;
}

const DEFAULT_MAX_CONNECTIONS = 64;
const MAX_PREFIX_BYTES = 100;

/**
 * An object store in an S3 bucket. Opens no connection before the first call.
 * @throws InvalidArgumentError when `prefix` is not an object key.
 */
export function createS3ObjectStore(options: S3ObjectStoreOptions): S3ObjectStore {
  if (options.prefix !== '') checkObjectKey(options.prefix, MAX_PREFIX_BYTES);
  return new BucketObjectStore(options);
}

/** The name of the metadata that says which call wrote an object. */
const WRITE_ID = 'write-id';

class BucketObjectStore implements S3ObjectStore {
  readonly #client: S3Client;
  readonly #requests: S3Requests;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #region: string;
  readonly #deletes: S3Deletes;
  readonly #maxAttempts: number;

  constructor(options: S3ObjectStoreOptions) {
    const limits = { ...options, maxConnections: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS };
    this.#client = createS3Client(options, limits, options.common.log);
    this.#requests = new S3Requests(limits, options.common);
    this.#bucket = options.bucket;
    this.#prefix = options.prefix === '' ? '' : `${options.prefix}/`;
    this.#region = options.region;
    const { bucket, common } = options;
    this.#deletes = new S3Deletes({
      ...{ client: this.#client, requests: this.#requests, bucket, prefix: this.#prefix, log: common.log },
    });
    this.#maxAttempts = options.maxAttempts;
  }

  /*
   * "Exists" must not be said about this call's own object. A request whose answer was lost, here or in a proxy that
   * sends it again by itself, may have been carried out, and the next one then meets its object. So every call marks
   * its object with an id of its own, and a refusal (412) is decided by the id of the object that is there: ours is
   * `created`, any other is `exists`, whatever the bytes.
   *
   * 409 means that another conditional write or a delete of the key was running: no answer yet, so it is asked again.
   */
  async putIfAbsent(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    checkObjectKey(key);
    // identity, not behaviour: it must differ between two processes that replay the same seed
    const writeId = randomUUID();
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const input = { ...this.#at(key), Body: body, IfNoneMatch: '*', Metadata: { [WRITE_ID]: writeId } };
    for (let round = 0; round < this.#maxAttempts; round++) {
      let attempts = 0;
      try {
        await this.#send(input, () => attempts++);
        return 'created';
      } catch (failure) {
        if (!isKind(failure, 'precondition')) throw failure;
      }
      const owner = await this.#ownerOf(key, writeId, attempts > 1 ? bytes : undefined);
      if (owner !== 'none') return owner === 'this-call' ? 'created' : 'exists';
      // the object that refused the write has been deleted since
    }
    throw new ObjectStoreUnavailableError('an object was created and deleted again during every attempt to write it', {
      details: { key },
    });
  }

  async #send(input: PutObjectCommandInput & { readonly Body: Uint8Array }, attempted: () => unknown): Promise<void> {
    await this.#requests.send('put', input.Body.byteLength, ({ signal }) => {
      attempted();
      return this.#client.send(new PutObjectCommand(input), { abortSignal: signal });
    });
  }

  /** Writes without a condition: only to find out why the conditional way is refused. */
  async #put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#send({ ...this.#at(key), Body: bytes }, () => undefined);
  }

  /** The writer of the object. `retried` are the bytes of a call that was sent more than once. */
  async #ownerOf(
    key: string,
    writeId: string,
    retried: Uint8Array | undefined,
  ): Promise<'this-call' | 'another' | 'none'> {
    try {
      const head = await this.#headObject(key);
      const found = head.Metadata?.[WRITE_ID];
      if (found !== undefined) return found === writeId ? 'this-call' : 'another';
      // written by another program, or the server drops metadata: then only the same bytes can be ours
      if (!retried || head.ContentLength !== retried.byteLength) return 'another';
      return Buffer.compare(await this.get(key), retried) === 0 ? 'this-call' : 'another';
    } catch (failure) {
      if (failure instanceof ObjectNotFoundError) return 'none';
      throw failure;
    }
  }

  async get(key: string, range?: ByteRange): Promise<Uint8Array> {
    checkObjectKey(key);
    if (range) checkByteRange(range);
    const input = { ...this.#at(key), ...(range ? { Range: `bytes=${range.start}-${range.endExclusive - 1}` } : {}) };
    try {
      return await this.#requests.sendHedged('get', async (request) => {
        const answer = await this.#client.send(new GetObjectCommand(input), { abortSignal: request.signal });
        return await readS3Body(answer, range, request);
      });
    } catch (failure) {
      if (isKind(failure, 'not_found')) throw new ObjectNotFoundError(key, { cause: failure });
      if (range && isKind(failure, 'range')) throw new ObjectRangeError(key, range, { cause: failure });
      throw failure;
    }
  }

  /** S3 answers HEAD without saying whether the object or the whole bucket is missing: both are "not found" here. */
  async head(key: string): Promise<ObjectHead> {
    checkObjectKey(key);
    const { ContentLength, LastModified } = await this.#headObject(key);
    return { sizeBytes: ContentLength ?? 0, modifiedMs: LastModified ? wholeSeconds(LastModified) : 0 };
  }

  async #headObject(key: string): Promise<HeadObjectCommandOutput> {
    try {
      return await this.#requests.sendHedged('head', async ({ signal }) => {
        const answer = await this.#client.send(new HeadObjectCommand(this.#at(key)), { abortSignal: signal });
        if (answer.ContentLength === undefined || !answer.LastModified) throw wrongAnswer('no size or no date');
        return answer;
      });
    } catch (failure) {
      if (isKind(failure, 'not_found')) throw new ObjectNotFoundError(key, { cause: failure });
      throw failure;
    }
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ObjectPage> {
    checkListArguments(prefix, options);
    const input = {
      Bucket: this.#bucket,
      Prefix: this.#prefix + prefix,
      MaxKeys: Math.min(options.limit ?? MAX_PAGE_OBJECTS, MAX_PAGE_OBJECTS),
      ...(options.startAfter ? { StartAfter: this.#prefix + options.startAfter } : {}),
    };
    return await this.#requests.sendHedged('list', async ({ signal }) => {
      const answer = await this.#client.send(new ListObjectsV2Command(input), { abortSignal: signal });
      const found = (answer.Contents ?? []).map((entry): ListedObject => {
        const { Key, Size, LastModified } = entry;
        if (!Key?.startsWith(this.#prefix) || Size === undefined || !LastModified)
          throw wrongAnswer('a strange listing');
        return { key: Key.slice(this.#prefix.length), sizeBytes: Size, modifiedMs: wholeSeconds(LastModified) };
      });
      refuseUnordered(found, options.startAfter);
      const last = found.at(-1)?.key;
      if (answer.IsTruncated === undefined) throw new S3RequestFailure('refused', { name: 'NotAListing' });
      if (answer.IsTruncated && last === undefined) throw wrongAnswer('a truncated listing of nothing');
      // other programs leave objects that are no keys of ours, such as `folder/`
      return { objects: found.filter(({ key }) => isObjectKey(key)), next: (answer.IsTruncated && last) || null };
    });
  }

  async deleteMany(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkObjectKey(key);
    await this.#deletes.deleteAll(keys);
  }

  async ensureBucket(): Promise<void> {
    const Bucket = this.#bucket;
    try {
      await this.#requests.send('bucket', 0, ({ signal }) =>
        this.#client.send(new HeadBucketCommand({ Bucket }), { abortSignal: signal }),
      );
      return;
    } catch (failure) {
      if (!isKind(failure, 'not_found')) throw failure;
    }
    // AWS's first region must not be named
    const place =
      this.#region === 'us-east-1'
        ? {}
        : { CreateBucketConfiguration: { LocationConstraint: this.#region as BucketLocationConstraint } };
    await this.#requests.send('bucket', 0, async ({ signal }) => {
      try {
        await this.#client.send(new CreateBucketCommand({ Bucket, ...place }), { abortSignal: signal });
      } catch (thrown) {
        if (!(thrown instanceof Error) || thrown.name !== 'BucketAlreadyOwnedByYou') throw thrown;
      }
    });
  }

  async check(): Promise<void> {
    await checkBucket(this, (key, bytes) => this.#put(key, bytes));
  }

  async close(): Promise<void> {
    this.#requests.close();
    this.#client.destroy();
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }
}

/** Pages continue after their last key: out of order they would leave objects out. */
function refuseUnordered(found: readonly ListedObject[], startAfter: string | undefined): void {
  let before = startAfter || null;
  for (const { key } of found) {
    if (before !== null && compareKeys(before, key) >= 0)
      throw new S3RequestFailure('refused', { name: 'UnorderedListing', before, key });
    before = key;
  }
}

/** HTTP dates end there, the dates of a listing do not: cut, both say the same. */
function wholeSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000) * 1000;
}

function isKind(failure: unknown, kind: S3RequestFailure['kind']): boolean {
  return failure instanceof S3RequestFailure && failure.kind === kind;
}
