import type { Common } from '../../core/common.js';
import { AbortedError, IndexerError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import type { Change, ChangeSet } from '../../model/batch.js';
import { CoverageGapError } from '../../model/storage-errors.js';
import { type BackendStorage, buffers, tellsHoldings } from '../../storage/backend-storage.js';
import { recallFrom } from '../../storage/recall-from.js';
import { continuesHistory } from '../follow/common-history.js';
import { divergedError, refuseDiverged } from '../follow/divergence.js';
import { failureOf } from '../follow/side-error.js';

const DEFAULT_PAGE_SIZE = 2_000;

/** Why a restore does not begin, or is not to be trusted. Nothing was changed unless the message says so. */
export class RestoreError extends IndexerError {
  constructor(
    code: 'RESTORE_NOTHING' | 'RESTORE_SOURCE_INCOMPLETE' | 'RESTORE_TARGET_IN_USE' | 'RESTORE_TARGET_AHEAD',
    message: string,
    cause?: unknown,
  ) {
    super(code, message, false, cause === undefined ? {} : { cause });
  }
}

/** A message id that the target holds something of, and the time of the first record that was ever stored for it. */
export interface KnownId {
  readonly messageId: Hex;
  readonly firstMs: number;
}

/** The facts about a target that a follower does not need. */
export interface TargetInspection {
  /** It made commits by itself, or removed records by itself: only a source that holds all of that can complete it. */
  readonly hasOwnHistory: boolean;
  /** Some of the ids it holds, none only when it holds none. */
  readonly sample: readonly KnownId[];
}

const UNTOUCHED: TargetInspection = { hasOwnHistory: false, sample: [] };

/** The changes taken over, by kind. */
export type ChangeCounts = Readonly<Record<Change['kind'], number>>;

/** How far a restore is. Positions from `fromPosition` to `headPosition` are those to take over. */
export interface RestoreProgress {
  readonly fromPosition: bigint;
  readonly throughPosition: bigint;
  readonly headPosition: bigint;
  readonly changes: ChangeCounts;
}

/** How a restore ended: the target stands where the source does. */
export interface RestoreReport extends RestoreProgress {
  /** Ingestion time of the last commit, unix ms. */
  readonly headMs: number;
  readonly elapsedMs: number;
}

/** The source, the target and the settings of a restore. Times in milliseconds. */
export interface RestoreOptions {
  /** Holds everything from the beginning: the cold tier, or any other storage. */
  readonly source: BackendStorage;
  /** Empty, behind the source, or left by an unfinished restore from it. No other process writes to it. */
  readonly target: BackendStorage;
  /** Default: the target is none that anything but a restore was ever made in. */
  readonly inspect?: () => Promise<TargetInspection>;
  readonly common: Common;
  /** Changes read and applied at once. Default 2000; the source makes it fewer when they are large. */
  readonly pageSize?: number;
  /** Ends it between two pages; applied pages stay, and the next restore goes on from there. */
  readonly signal?: AbortSignal;
  /** Called after every page; must not throw and must return quickly. */
  readonly onProgress?: (progress: RestoreProgress) => void;
}

/**
 * Rebuilds `target` from `source`, or brings it the commits that it lacks, by following: the same records with the same
 * times and positions. Each page is one
 * transaction of the target, so a restore that was interrupted is simply called again. The page after is read while
 * one is applied.
 * @throws RestoreError, DivergedError when the target holds another history, AbortedError, and errors of the storages.
 */
export async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const { source, target, common, pageSize = DEFAULT_PAGE_SIZE, signal } = options;
  const startedMs = common.clock.monotonicMs();
  const fromPosition = await checkTarget(options);
  const changes = { message: 0, verifierResult: 0, execution: 0, cursor: 0, quarantine: 0, conflict: 0 };
  let next = source.changesAfter(fromPosition, pageSize);
  for (;;) {
    const set = await next;
    const isLast = set.throughPosition >= set.headPosition;
    if (signal?.aborted) throw new AbortedError('restore');
    if (!isLast) next = ahead(source.changesAfter(set.throughPosition, pageSize));
    await target.apply(set);
    for (const { kind } of set.changes) changes[kind] += 1;
    const progress = { ...positionsOf(set, fromPosition), changes: { ...changes } };
    options.onProgress?.(progress);
    if (isLast && buffers(target)) await target.flush();
    if (isLast) return { ...progress, headMs: set.headMs, elapsedMs: common.clock.monotonicMs() - startedMs };
  }
}

/** A page that is asked for early: should the one before it fail, no caller awaits its failure. */
function ahead<T>(page: Promise<T>): Promise<T> {
  page.catch(() => 'told to whoever awaits it');
  return page;
}

function positionsOf({ throughPosition, headPosition }: ChangeSet, fromPosition: bigint) {
  return { fromPosition, throughPosition, headPosition };
}

/** @returns where the target stands. */
async function checkTarget({ source, target, inspect }: RestoreOptions): Promise<bigint> {
  const headPosition = await headOf(source, target);
  if (headPosition === 0n)
    throw new RestoreError('RESTORE_NOTHING', `storage ${source.name} holds nothing to restore ${target.name} from`);
  const { hasOwnHistory, sample } = (await inspect?.()) ?? UNTOUCHED;
  const standsAt = await positionOf(target);
  if (standsAt > headPosition) {
    await continuesHistory(source, target, target);
    throw new RestoreError(
      'RESTORE_TARGET_AHEAD',
      `storage ${target.name} stands at position ${standsAt}, ${source.name} only at ${headPosition}: ` +
        'there is nothing to restore',
    );
  }
  await refuseDiverged(source, target, standsAt).catch((thrown: unknown) => {
    throw failureOf(thrown).error;
  });
  const isContinued = await continuesHistory(target, source, target);
  // in the middle of a restore nothing can be told of the commits; only then is the sample all there is to go by
  const isWhole = target.coverage().throughMs >= 0;
  if (hasOwnHistory && isWhole && !isContinued)
    throw new RestoreError(
      'RESTORE_TARGET_IN_USE',
      `storage ${target.name} has records of its own, and ${source.name} cannot tell ` +
        `whether they are a part of what it holds: drop the schema of ${target.name}, or name another database`,
    );
  await refuseForeign(source, target, standsAt, sample);
  return standsAt;
}

/** @throws RestoreError when the source holds nothing, or only part of a state. */
async function headOf(source: BackendStorage, target: BackendStorage): Promise<bigint> {
  try {
    return (await source.boundaryAt({ ms: Number.MAX_SAFE_INTEGER })).position;
  } catch (thrown) {
    if (!(thrown instanceof CoverageGapError)) throw thrown;
    throw new RestoreError(
      'RESTORE_SOURCE_INCOMPLETE',
      `storage ${source.name} was still catching up when it was last written to: ` +
        `what it lacks no longer shows, so ${target.name} cannot be rebuilt from it alone`,
      thrown,
    );
  }
}

/** A storage knows its own position only once it was asked for something. */
async function positionOf(storage: BackendStorage): Promise<bigint> {
  try {
    await storage.changesAfter(storage.coverage().afterPosition, 1);
  } catch (thrown) {
    // in the middle of a restore it has no whole state: to say so it had to look
    if (!(thrown instanceof CoverageGapError)) throw thrown;
  }
  return storage.coverage().throughPosition;
}

/**
 * In the middle of a restore there is no commit to compare. But whatever the target holds the source holds as well, and
 * when an id was first stored never changes: another history of the same chain has other times.
 */
async function refuseForeign(
  source: BackendStorage,
  target: BackendStorage,
  position: bigint,
  sample: readonly KnownId[],
) {
  if (!tellsHoldings(source)) return;
  const recall = recallFrom(source);
  for (const { messageId, firstMs } of sample) {
    const { message, results } = await recall(messageId);
    const known = message.value?.firstMs ?? results.value[0]?.firstMs;
    if (known !== firstMs)
      throw divergedError(
        target,
        source,
        position,
        `it holds message ${messageId} since another time than ${source.name}`,
      );
  }
}
