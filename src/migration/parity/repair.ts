import { AbortedError, assertNever, InvalidArgumentError } from '../../core/errors.js';
import { changedRecord, type RecordRef } from '../../model/identity.js';
import { CCVDataNotFoundError, CoverageGapError, MessageNotFoundError } from '../../model/storage-errors.js';
import { startBoundary } from '../../sink/follow/start-boundary.js';
import {
  type BackendStorage,
  keepsForGood,
  startsAnywhere,
  type WindowStorage,
} from '../../storage/backend-storage.js';
import { isMendable, type Mending } from '../../storage/mendable.js';
import type { Difference } from './differences.js';
import type { ParitySide } from './side-reader.js';

/** The end of a repair. */
export interface RepairReport {
  /** Differences after which the follower holds what its leader does. */
  readonly mended: readonly Difference[];
  /** Differences that are not so any more, or not yet: another comparison shows whether anything is left. */
  readonly passedOver: readonly Difference[];
}

const PAGE_SIZE = 1_000;

/**
 * Gives the records that a comparison listed the state that the leader tells at that moment: a missing one is inserted,
 * a different one replaced, a surplus one removed. Each has a transaction of its own, so that an end at any time leaves
 * whole records. A memory starts anew instead.
 * @throws InvalidArgumentError when the follower is not repaired record by record; MendRefusedError when it leads;
 * AbortedError, StorageUnavailableError.
 */
export async function repairDifferences(options: {
  readonly leader: ParitySide;
  readonly follower: BackendStorage;
  readonly differences: readonly Difference[];
  readonly signal?: AbortSignal;
}): Promise<RepairReport> {
  const { leader, follower, differences, signal } = options;
  if (startsAnywhere(follower)) {
    await startAnew(leader.storage, follower);
    return { mended: differences, passedOver: [] };
  }
  if (!isMendable(follower)) throw notMendable(follower);
  const report = { mended: [] as Difference[], passedOver: [] as Difference[] };
  for (const difference of differences) {
    if (signal?.aborted) throw new AbortedError('repairing');
    const isMended = await follower.mend(async () => await mendingOf(leader, difference));
    report[isMended ? 'mended' : 'passedOver'].push(difference);
  }
  return report;
}

/** Null: the leader does not say any more what it said when the two were compared. */
async function mendingOf(leader: ParitySide, { ref, leader: held }: Difference): Promise<Mending | null> {
  if (held === null) return (await isHeld(leader, ref)) ? null : { what: 'remove', ref };
  const [change] = await changesAt(leader, held.position - 1n);
  const isStill = change?.position === held.position && changedRecord(change) === changedRecord(ref);
  return isStill ? { what: 'put', change } : null;
}

async function changesAt({ storage, past }: ParitySide, afterPosition: bigint) {
  try {
    return (await storage.changesAfter(afterPosition, 1)).changes;
  } catch (thrown) {
    if (!past || !(thrown instanceof CoverageGapError)) throw thrown;
    return (await past.changesAfter(afterPosition, 1)).changes;
  }
}

/** Whether the leader has a record of this identity. */
async function isHeld({ storage, past }: ParitySide, ref: RecordRef): Promise<boolean> {
  try {
    return await holds(storage, ref);
  } catch (thrown) {
    if (!past || !(thrown instanceof CoverageGapError)) throw thrown;
    return await holds(past, ref);
  }
}

async function holds(storage: BackendStorage, ref: RecordRef): Promise<boolean> {
  const key = changedRecord(ref);
  switch (ref.kind) {
    case 'message':
      return await isFound(storage.getMessage(ref.record.messageId), () => true);
    case 'verifierResult':
      return await isFound(storage.getCCVData(ref.record.messageId), (results) =>
        results.some((record) => changedRecord({ kind: ref.kind, record }) === key),
      );
    case 'execution':
      return await isFound(storage.getExecutions(ref.record.messageId), (executions) =>
        executions.some((record) => changedRecord({ kind: ref.kind, record }) === key),
      );
    case 'cursor':
      return (await storage.getCursor(ref.record.sourceId)) !== null;
    case 'quarantine':
      return await isListed(
        (query) => storage.queryQuarantine(query),
        (record) => changedRecord({ kind: ref.kind, record }) === key,
      );
    case 'conflict':
      return await isListed(
        (query) => storage.queryConflicts(query),
        (record) => changedRecord({ kind: ref.kind, record }) === key,
      );
    default:
      return assertNever(ref, 'kind of record');
  }
}

async function isFound<T>(answer: Promise<T>, isAmong: (answer: T) => boolean): Promise<boolean> {
  try {
    return isAmong(await answer);
  } catch (thrown) {
    // an id that no storage takes is in none
    const isNone = [MessageNotFoundError, CCVDataNotFoundError, InvalidArgumentError].some((E) => thrown instanceof E);
    if (isNone) return false;
    throw thrown;
  }
}

async function isListed<T extends { readonly position: bigint }>(
  list: (query: { afterPosition: bigint; limit: number }) => Promise<readonly T[]>,
  isIt: (record: T) => boolean,
): Promise<boolean> {
  for (let afterPosition = 0n; ; ) {
    const records = await list({ afterPosition, limit: PAGE_SIZE });
    if (records.some(isIt)) return true;
    const last = records.at(-1);
    if (!last) return false;
    afterPosition = last.position;
  }
}

/** It holds nothing from before any more, and takes everything over from where its window begins. */
async function startAnew(leader: BackendStorage, follower: WindowStorage): Promise<void> {
  follower.rebase(await startBoundary(leader, follower));
  for (;;) {
    const { throughPosition } = follower.coverage();
    const set = await leader.changesAfter(throughPosition, PAGE_SIZE);
    await follower.apply(set);
    if (set.throughPosition >= set.headPosition) return;
  }
}

function notMendable(follower: BackendStorage): InvalidArgumentError {
  const advice = keepsForGood(follower)
    ? "its files are never changed: run 'ccv-indexer storage verify', and let it follow again at another Prefix"
    : 'let another database follow from empty in its place';
  return new InvalidArgumentError(`storage ${follower.name} is not repaired record by record: ${advice}`);
}
