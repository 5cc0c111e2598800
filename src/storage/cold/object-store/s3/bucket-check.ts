import { randomUUID } from 'node:crypto';
import { allOf } from '../../../../core/parallel.js';
import { compareKeys } from '../object-key.js';
import type { ObjectPage, ObjectStore } from '../object-store.js';
import { ObjectNotFoundError, ObjectStoreError } from '../object-store-errors.js';

/** The prefix of a check's objects. */
const CHECK_PREFIX = 'conditional-write-check-';
/** Endings of keys in byte order only: neither of numbers, nor of a language, nor of the time of writing. */
const ENDINGS = ['', '-1', '-10', '-9', '-B', '-_', '-a'];
/** Pages have to fit together. */
const PAGE_OBJECTS = 2;
/** A check that was killed left its objects behind; no other takes so long. */
const STRAY_MS = 3_600_000;

/**
 * A server's deviation from the needs of the cold tier: `details.name` of the error where the server gives none.
 * - `IfNoneMatchRefused`: it writes objects, but not on the condition that there is none.
 * - `IfNoneMatchIgnored`: it overwrites in spite of the condition: of two commits one would be lost.
 * - `MissingKeyRefused`: it does not say of an object that is not there that it is not there.
 * - `UnorderedListing`, `StaleListing`: keys are not listed in byte order, or not as soon as they are written.
 * - `DeleteIgnored`: objects are still there after they were deleted.
 */
export type BucketFault =
  | 'IfNoneMatchRefused'
  | 'IfNoneMatchIgnored'
  | 'MissingKeyRefused'
  | 'UnorderedListing'
  | 'StaleListing'
  | 'DeleteIgnored';

/**
 * Tries everything that the cold tier asks of a bucket, and deletes its objects, also when it fails. Deleting is
 * tried before anything is written, so that a server that refuses it keeps nothing of ours.
 * @param overwrite writes an object without a condition.
 * @throws ObjectStoreError, ObjectDeleteError when the server refuses; ObjectStoreUnavailableError
 */
export async function checkBucket(
  store: ObjectStore,
  overwrite: (key: string, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const base = `${CHECK_PREFIX}${randomUUID()}`;
  let nowMs = 0;
  const keys = ENDINGS.map((ending) => base + ending);
  await store.deleteMany([base]);
  try {
    await checkWrites(store, base, overwrite);
    await requireMissing(store, `${base}-missing`);
    await allOf(keys.slice(1).map((key) => store.putIfAbsent(key, bytesOf(key))));
    await checkListings(store, base, keys);
    nowMs = (await store.head(base)).modifiedMs;
  } finally {
    await store.deleteMany(keys);
  }
  await checkDeleted(store, base, nowMs);
}

/** Deletes the leftovers of killed checks as well. `nowMs`: by the clock of the store. */
async function checkDeleted(store: ObjectStore, base: string, nowMs: number): Promise<void> {
  if ((await store.list(base)).objects.length > 0)
    throw fault('DeleteIgnored', 'the object store still lists objects that it has deleted');
  for (let startAfter: string | null = CHECK_PREFIX; startAfter !== null; ) {
    const { objects, next }: ObjectPage = await store.list(CHECK_PREFIX, { startAfter });
    const stray = objects.filter(({ modifiedMs }) => modifiedMs < nowMs - STRAY_MS);
    if (stray.length > 0) await store.deleteMany(stray.map(({ key }) => key));
    startAfter = next;
  }
}

async function requireMissing(store: ObjectStore, key: string): Promise<void> {
  for (const ask of [() => store.head(key), () => store.get(key)])
    try {
      await ask();
      throw fault('MissingKeyRefused', 'the object store knows an object that was never written');
    } catch (thrown) {
      if (thrown instanceof ObjectNotFoundError) continue;
      if (!(thrown instanceof ObjectStoreError)) throw thrown;
      throw fault('MissingKeyRefused', 'the object store refuses to say that an object does not exist', thrown);
    }
}

/** Checks that one of several writers at once wins, and none later, and that a read gives the bytes of the winner. */
async function checkWrites(
  store: ObjectStore,
  key: string,
  overwrite: (key: string, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const texts = ['first', 'second', 'third'].map(bytesOf);
  let answers: ('created' | 'exists')[];
  try {
    answers = await allOf(texts.map((bytes) => store.putIfAbsent(key, bytes)));
    answers.push(await store.putIfAbsent(key, bytesOf('late')));
  } catch (thrown) {
    if (!(thrown instanceof ObjectStoreError)) throw thrown;
    await overwrite(key, bytesOf('unconditional'));
    throw fault('IfNoneMatchRefused', 'the object store refuses to write an object unless one exists', thrown);
  }
  const winner = texts[answers.indexOf('created')];
  const isOne = answers.filter((answer) => answer === 'created').length === 1;
  if (isOne && winner !== undefined && Buffer.compare(await store.get(key), winner) === 0) return;
  throw fault('IfNoneMatchIgnored', 'the object store overwrites an object in spite of If-None-Match: *');
}

async function checkListings(store: ObjectStore, base: string, keys: readonly string[]): Promise<void> {
  const listed: string[] = [];
  for (let startAfter: string | null = ''; startAfter !== null; ) {
    const page = await store.list(base, { limit: PAGE_OBJECTS, ...(startAfter === '' ? {} : { startAfter }) });
    listed.push(...page.objects.map(({ key }) => key));
    startAfter = page.next;
  }
  const expected = [...keys].sort(compareKeys);
  if (listed.join() === expected.join()) return;
  const isUnordered = [...listed].sort(compareKeys).join() === expected.join();
  throw isUnordered
    ? fault('UnorderedListing', 'the object store does not list keys in the order of their bytes')
    : fault('StaleListing', 'the object store does not list what was just written, or lists other objects beside it');
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text);
}

function fault(name: BucketFault, message: string, cause?: ObjectStoreError): ObjectStoreError {
  return new ObjectStoreError(message, { cause, details: { ...cause?.details, name } });
}
