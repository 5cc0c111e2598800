import { isDeepStrictEqual } from 'node:util';
import type { Change, ChangeSet } from '../../model/batch.js';
import type { Boundary } from '../../model/boundary.js';
import { changedRecord } from '../../model/identity.js';
import { CoverageGapError } from '../../model/storage-errors.js';
import { type BackendStorage, keepsForGood } from '../../storage/backend-storage.js';
import { divergedError } from './divergence.js';

/** Changes read at once. */
const PAGE_SIZE = 1_000;
const MISSING = 'one of the two lacks the change there';
const ANOTHER = 'the change there is another one';

/**
 * Compares a storage with one that stands further: whether the longer one continues the history of the shorter one.
 * Records are compared from the last commit that both know at the same position and time up to the head of the shorter
 * one. A record that changed again in the longer one beyond that head cannot be compared; that it changed again is
 * checked. A storage without a whole state, or without the changes, proves nothing.
 * @returns whether it does; false when there is no telling.
 * @throws DivergedError in the name of `named` when the two gave one position to different changes.
 */
export async function continuesHistory(
  shorter: BackendStorage,
  longer: BackendStorage,
  named: BackendStorage,
): Promise<boolean> {
  try {
    const headPosition = await headPositionOf(shorter);
    const longHeadPosition = await headPositionOf(longer);
    const commonPosition = await commonBoundary(shorter, longer, headPosition);
    if (longHeadPosition < headPosition) return false;
    await compareRecords(shorter, longer, commonPosition, headPosition);
    return true;
  } catch (thrown) {
    if (thrown instanceof OtherHistory)
      throw divergedError(named, named === shorter ? longer : shorter, thrown.position, thrown.message);
    if (thrown instanceof CoverageGapError) return false;
    throw thrown;
  }
}

/** Found where the two differ; never leaves this file. */
class OtherHistory extends Error {
  readonly position: bigint;
  constructor(position: bigint, why: string) {
    super(why);
    this.position = position;
  }
}

/** The last commit of a storage, of which nothing else has to be known. */
export async function headOf(storage: BackendStorage): Promise<ChangeSet> {
  try {
    return await storage.changesAfter(storage.coverage().afterPosition, 1);
  } catch (thrown) {
    if (!(thrown instanceof CoverageGapError)) throw thrown;
    // a storage that was asked nothing before learns from the question where its changes begin
    return await storage.changesAfter(storage.coverage().afterPosition, 1);
  }
}

/** A storage that buffers knows its own position without reading a record. */
async function headPositionOf(storage: BackendStorage): Promise<bigint> {
  if (!keepsForGood(storage)) return (await headOf(storage)).headPosition;
  await storage.ready();
  return storage.coverage().throughPosition;
}

/** The position up to which the two are one history: the last commit of both, or the first change of `shorter`. */
async function commonBoundary(shorter: BackendStorage, longer: BackendStorage, headPosition: bigint): Promise<bigint> {
  const { afterPosition } = shorter.coverage();
  for (let position = headPosition; ; ) {
    const known = await longer.boundaryAt({ position });
    if (known.position <= afterPosition) return afterPosition;
    const told: Boundary = await shorter.boundaryAt({ position: known.position });
    if (told.position === known.position && told.ingestionMs !== known.ingestionMs)
      throw new OtherHistory(known.position, 'the commit there has another time');
    if (told.position === known.position) return known.position;
    position = told.position;
  }
}

async function compareRecords(
  shorter: BackendStorage,
  longer: BackendStorage,
  afterPosition: bigint,
  headPosition: bigint,
) {
  const told = changesThrough(longer, afterPosition, headPosition);
  /** Records that `longer` must have changed again beyond the head. */
  const changedAgain = new Map<string, bigint>();
  let theirs = await told.next();
  for await (const mine of changesThrough(shorter, afterPosition, headPosition)) {
    if (!theirs.done && theirs.value.position < mine.position) throw new OtherHistory(theirs.value.position, MISSING);
    if (theirs.done || theirs.value.position > mine.position) {
      changedAgain.set(changedRecord(mine), mine.position);
      continue;
    }
    if (!isSameChange(mine, theirs.value)) throw new OtherHistory(mine.position, ANOTHER);
    theirs = await told.next();
  }
  if (!theirs.done) throw new OtherHistory(theirs.value.position, MISSING);
  if (changedAgain.size === 0) return;
  const longHeadPosition = await headPositionOf(longer);
  for await (const change of changesThrough(longer, headPosition, longHeadPosition))
    changedAgain.delete(changedRecord(change));
  for (const position of changedAgain.values()) throw new OtherHistory(position, ANOTHER);
}

async function* changesThrough(storage: BackendStorage, afterPosition: bigint, throughPosition: bigint) {
  for (let at = afterPosition; at < throughPosition; ) {
    const set = await storage.changesAfter(at, PAGE_SIZE);
    for (const change of set.changes) if (change.position <= throughPosition) yield change;
    if (set.throughPosition <= at) return;
    at = set.throughPosition;
  }
}

/** Bytes of different storages are equal although their containers differ. */
function isSameChange(mine: Change, theirs: Change): boolean {
  return changedRecord(mine) === changedRecord(theirs) && isDeepStrictEqual(plain(mine.record), plain(theirs.record));
}

function plain(record: object): object {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [
      key,
      value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
    ]),
  );
}
