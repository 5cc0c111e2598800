import { assertNever } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import type { ChangedMessages, ChangedMessagesQuery, Moves, MovesQuery } from '../model/amendments.js';
import type { Boundary } from '../model/boundary.js';
import type { HeldMessage, HeldResults } from '../model/held.js';
import type { ResultsPart } from '../model/outlines.js';
import type { Storage } from './storage.js';

/**
 * A storage that a Sink can be made of, by its kind:
 * - `window`: recent records in memory. It starts anywhere and forgets old records.
 * - `record`: the system of record. It leads, and gives every commit its time and positions.
 * - `archive`: everything for good. It follows a record, and answers for changes minutes after it took them.
 */
export type BackendStorage = WindowStorage | RecordStorage | ArchiveStorage;

/** The hot tier: a storage that keeps only a window of recent records and can start anywhere. */
export interface WindowStorage extends Storage {
  readonly kind: 'window';
  readonly prunable: false;
  /** The records that it wants to hold: ingested at or after `sinceMs`, at most `maxRecords` (Infinity: no limit). */
  window(): { readonly sinceMs: number; readonly maxRecords: number };
  /** Forgets everything and stands at `boundary`: complete for the changes that are applied from there on. */
  rebase(boundary: Boundary): void;
}

/** The system of record: a database that other tiers relieve of its past, or the cold tier as the only storage. */
export type RecordStorage = PrunableRecord | LastingRecord;

/** A record whose past another tier can hold for good. It tells lagging tiers the changes since their position. */
export interface PrunableRecord extends Storage, Holdings {
  readonly kind: 'record';
  readonly prunable: true;
  /**
   * Moves in the lists since an earlier position, for reads of a storage that still stands there.
   * @throws CoverageGapError when they are not known any more.
   */
  movesAfter(query: MovesQuery): Promise<Moves>;
  /**
   * Messages that changed where they are listed since an earlier position.
   * @throws CoverageGapError when they are not known any more.
   */
  changedMessages(query: ChangedMessagesQuery): Promise<ChangedMessages>;
  /**
   * Removes the records committed at or below `upTo`, and says so first: from then on `coverage()` begins above the
   * last commit at or below both its time and position. Unfinished work stays: messages that are neither orphaned nor
   * `success`, and those from blocks above their chain's cursor, with their results. The caller knows that another tier
   * holds everything up to `upTo.position` for good.
   */
  prune(upTo: Boundary, options?: PruneOptions): Promise<PruneOutcome>;
}

/** A record that keeps everything itself, where other processes write too. It leads alone, without an archive. */
export interface LastingRecord extends Storage, Holdings, SharedPlace {
  readonly kind: 'record';
  readonly prunable: false;
}

/**
 * The cold tier: a storage that takes changes before it answers for them. `coverage().throughPosition` is as far as it
 * answers, and where a restart finds it; `appliedPosition` is where the next set of `apply` continues, and is lost with
 * the process.
 */
export interface ArchiveStorage extends Storage, Holdings, SharedPlace {
  readonly kind: 'archive';
  readonly prunable: false;
  /** Every change up to this position was applied; at or above `coverage().throughPosition`. */
  appliedPosition(): bigint;
  /** Whether some of the applied changes would be lost with the process. */
  hasUnflushed(): boolean;
  /** Makes everything applied so far durable and answered for. */
  flush(): Promise<void>;
}

/**
 * The records held about an id, complete or not; see `Held`. A storage that lags by minutes, or is pruned, says with
 * this which part others need to complete. Orders like `getCCVData`.
 */
export interface Holdings {
  heldCCVData(messageId: Hex, part?: ResultsPart): Promise<HeldResults>;
  heldMessage(messageId: Hex): Promise<HeldMessage>;
}

/** A place that other processes bring forward too. */
export interface SharedPlace {
  /** Finds out where the storage stands: from then on its positions and `coverage` say it. Cheap when that is known. */
  ready(): Promise<void>;
  /** Looks again where the storage stands: other processes may have brought it forward. */
  refresh(): Promise<void>;
}

/** How hard to prune. */
export interface PruneOptions {
  /** Most message ids removed in one transaction; fewer while that takes long. Default 500. */
  readonly stepIds?: number;
  /** Share of the time in which writers may be held up by it, above 0 to 1. Default 0.2. */
  readonly dutyCycle?: number;
  /** Ends it between two transactions. */
  readonly signal?: AbortSignal;
}

export interface PruneOutcome {
  readonly messages: number;
  readonly verifierResults: number;
  /** Nothing at or below this is answered for any more. */
  readonly floor: Boundary;
}

/** The questions that the kind of a storage answers alone. */
interface KindAnswers {
  /** Its records can be read again: it begins where it is told to, and gives way where it differs from its leader. */
  readonly startsAnywhere: boolean;
  /** It stays complete up to now only while it is told that there is nothing new. */
  readonly livesOnNews: boolean;
  /** It answers for changes minutes after it took them, and other processes bring it forward too. */
  readonly buffers: boolean;
  /** This process alone says where it stands; any other has to be asked, since other processes may write to it. */
  readonly knowsItsPosition: boolean;
  /** It tells its records of an id also where it is not complete for that id. */
  readonly tellsHoldings: boolean;
}

type Kind = BackendStorage['kind'];

/** A new kind does not compile before it answers every question, a new question not before every kind does. */
const ANSWERS = {
  window: {
    startsAnywhere: true,
    livesOnNews: true,
    buffers: false,
    knowsItsPosition: true,
    tellsHoldings: false,
  },
  record: {
    startsAnywhere: false,
    livesOnNews: false,
    buffers: false,
    knowsItsPosition: false,
    tellsHoldings: true,
  },
  archive: {
    startsAnywhere: false,
    livesOnNews: false,
    buffers: true,
    knowsItsPosition: true,
    tellsHoldings: true,
  },
} as const satisfies Record<Kind, KindAnswers>;

/** The storages whose kind says yes to a question; a wrong yes does not compile where their members are used. */
type StorageThat<Q extends keyof KindAnswers> = Extract<
  BackendStorage,
  { readonly kind: { [K in Kind]: (typeof ANSWERS)[K][Q] extends true ? K : never }[Kind] }
>;

/** Whether its records can be read again, so that it begins where it is told to. */
export function startsAnywhere(storage: BackendStorage): storage is StorageThat<'startsAnywhere'> {
  return ANSWERS[storage.kind].startsAnywhere;
}

/** Whether it stays complete up to now only while it is told that there is nothing new. */
export function livesOnNews(storage: BackendStorage): boolean {
  return ANSWERS[storage.kind].livesOnNews;
}

/** Whether it answers for changes minutes after it took them; other processes bring it forward too. */
export function buffers(storage: BackendStorage): storage is StorageThat<'buffers'> {
  return ANSWERS[storage.kind].buffers;
}

/** Whether this process alone says where it stands; any other has to be asked. */
export function knowsItsPosition(storage: BackendStorage): boolean {
  return ANSWERS[storage.kind].knowsItsPosition;
}

/** Whether it tells its records of an id also where it is not complete for that id. */
export function tellsHoldings(storage: BackendStorage): storage is StorageThat<'tellsHoldings'> {
  return ANSWERS[storage.kind].tellsHoldings;
}

/** Whether a storage keeps everything that it was ever given: the cold tier, in either of its kinds. */
export function keepsForGood(storage: BackendStorage): storage is ArchiveStorage | LastingRecord {
  switch (storage.kind) {
    case 'window':
      return false;
    case 'record':
      return !storage.prunable;
    case 'archive':
      return true;
    default:
      return assertNever(storage, 'storage kind');
  }
}

/** Whether it can only lead: beside a record that other tiers relieve of its past it has no place. */
export function leadsAlone(storage: BackendStorage): storage is LastingRecord {
  return keepsForGood(storage) && !buffers(storage);
}

/** The next set for `storage.apply` must continue here. */
export function standsAt(storage: BackendStorage): bigint {
  return buffers(storage) ? storage.appliedPosition() : storage.coverage().throughPosition;
}
