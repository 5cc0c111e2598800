import { DeleteObjectCommand, DeleteObjectsCommand, type S3Client } from '@aws-sdk/client-s3';
import type { Logger } from '../../../../core/logger.js';
import { mapInParallel } from '../../../../core/parallel.js';
import { MAX_PAGE_OBJECTS } from '../object-store.js';
import { type DeleteFailure, ObjectDeleteError, ObjectStoreError } from '../object-store-errors.js';
import type { S3Requests } from './requests.js';
import { judgeS3Failure, kindOfS3Code, S3RequestFailure } from './s3-failures.js';

/** Single deletes under way at once. */
const MOST_AT_ONCE = 8;
/** Refusals that say nothing about deleting many at once, and that no other request would escape. */
const OF_THE_BUCKET: ReadonlySet<unknown> = new Set(['NoSuchBucket', 'InvalidAccessKeyId', 'SignatureDoesNotMatch']);

/**
 * Deletes objects of a bucket, up to 1000 with a request. A server that refuses such requests and takes single ones
 * is asked for single ones from then on: some do not know the operation, others not the checksum that comes with it.
 */
export class S3Deletes {
  readonly #client: S3Client;
  readonly #requests: S3Requests;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #log: Logger;
  #isOneByOne = false;

  constructor(parts: {
    readonly client: S3Client;
    readonly requests: S3Requests;
    readonly bucket: string;
    /** The text in front of every key. */
    readonly prefix: string;
    readonly log: Logger;
  }) {
    this.#client = parts.client;
    this.#requests = parts.requests;
    this.#bucket = parts.bucket;
    this.#prefix = parts.prefix;
    this.#log = parts.log;
  }

  /** @throws ObjectDeleteError naming those that were refused; all others are deleted. */
  async deleteAll(keys: readonly string[]): Promise<void> {
    const failures: DeleteFailure[] = [];
    for (let from = 0; from < keys.length; from += MAX_PAGE_OBJECTS)
      failures.push(...(await this.#deletePage(keys.slice(from, from + MAX_PAGE_OBJECTS))));
    if (failures.length > 0) throw new ObjectDeleteError(failures);
  }

  async #deletePage(keys: readonly string[]): Promise<DeleteFailure[]> {
    if (this.#isOneByOne) return await this.#deleteEach(keys);
    try {
      return await this.#deleteTogether(keys);
    } catch (refused) {
      if (!(refused instanceof ObjectStoreError) || OF_THE_BUCKET.has(refused.details['name'])) throw refused;
      const failures = await this.#deleteEach(keys);
      // one by one is no better
      if (failures.length === keys.length) throw refused;
      if (failures.length === 0 && !this.#isOneByOne) {
        this.#isOneByOne = true;
        this.#log.info({ err: refused }, 'the object store deletes no objects together: deleting them one by one');
      }
      return failures;
    }
  }

  /** Deletes keys again that S3 could not delete just then; returns the refused ones. */
  async #deleteTogether(keys: readonly string[]): Promise<DeleteFailure[]> {
    const failures: DeleteFailure[] = [];
    let remaining = keys;
    await this.#requests.send('delete', 0, async ({ signal }) => {
      const Objects = remaining.map((key) => ({ Key: this.#prefix + key }));
      const input = { Bucket: this.#bucket, Delete: { Objects, Quiet: true } };
      const { Errors = [] } = await this.#client.send(new DeleteObjectsCommand(input), { abortSignal: signal });
      const again: string[] = [];
      let reason: S3RequestFailure | undefined;
      for (const { Key = '', Code = 'Unknown' } of Errors) {
        const failure = new S3RequestFailure(kindOfS3Code(Code) ?? 'refused', { name: Code });
        const key = Key.slice(this.#prefix.length);
        if (failure.kind === 'not_found') continue;
        if (judgeS3Failure(failure) === 'give-up') {
          failures.push({ key, reason: Code });
        } else {
          again.push(key);
          reason ??= failure;
        }
      }
      remaining = again;
      if (reason) throw reason;
    });
    return failures;
  }

  async #deleteEach(keys: readonly string[]): Promise<DeleteFailure[]> {
    const failures = await mapInParallel(keys, MOST_AT_ONCE, (key) => this.#deleteOne(key));
    return failures.flatMap((failure) => failure ?? []);
  }

  async #deleteOne(key: string): Promise<DeleteFailure | null> {
    try {
      await this.#requests.send('delete', 0, ({ signal }) =>
        this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + key }), {
          abortSignal: signal,
        }),
      );
      return null;
    } catch (failure) {
      if (failure instanceof S3RequestFailure && failure.kind === 'not_found') return null;
      if (!(failure instanceof ObjectStoreError) || OF_THE_BUCKET.has(failure.details['name'])) throw failure;
      const { name, status } = failure.details;
      return { key, reason: String(name ?? status ?? 'refused') };
    }
  }
}
