import type { Common } from '../../core/common.js';
import { AbortedError } from '../../core/errors.js';
import type { Change } from '../../model/batch.js';
import { changedRecord } from '../../model/identity.js';
import type { Throttle } from '../throttle.js';
import { type ParityBucket, ParityBuckets, type SideName } from './buckets.js';
import {
  type Difference,
  type DifferenceCounts,
  FoundDifferences,
  type Pair,
  timeOf,
  UnmatchedRecords,
} from './differences.js';
import { hashOfRecord } from './record-hash.js';
import { type ComparedPart, type ParitySide, type SeenRecord, SideReader } from './side-reader.js';

/** The result of a comparison, or the part of it that is done. */
export interface ParityReport {
  /** Changes in (afterPosition, throughPosition] were compared. */
  readonly afterPosition: bigint;
  readonly throughPosition: bigint;
  /** The comparison ends there: the last position that both sides held whole when it began. */
  readonly targetPosition: bigint;
  /** The backends that answered for each side; positions that are in no part were forgotten before they were read. */
  readonly parts: Readonly<Record<SideName, readonly ComparedPart[]>>;
  /** Records of the leader that were compared. */
  readonly records: number;
  /** Records left out because they changed again meanwhile. */
  readonly changedSince: number;
  readonly bucketMs: number;
  /** Counts and hashes by ingestion time, the records left out not among them. */
  readonly buckets: readonly ParityBucket[];
  readonly differenceCounts: DifferenceCounts;
  /** The first of them, at most `listed`. */
  readonly differences: readonly Difference[];
}

/** A comparison under way. */
export interface ParityProgress {
  readonly throughPosition: bigint;
  readonly targetPosition: bigint;
  readonly records: number;
  readonly differenceCounts: DifferenceCounts;
  /** All of it up to here: with it another call goes on where this one was ended. */
  report(): ParityReport;
}

export interface ParityOptions {
  /** The side that is right where they differ. */
  readonly leader: ParitySide;
  readonly follower: ParitySide;
  readonly common: Pick<Common, 'clock' | 'random'>;
  /** Holds back the reads of the leader. */
  readonly throttle?: Throttle;
  /** The part of a comparison that is done already: it is gone on with, up to the same position. */
  readonly continues?: ParityReport;
  /** Only changes above this position are compared. Default: all. */
  readonly afterPosition?: bigint;
  /** Changes of each side in memory at once. Default 1000. */
  readonly pageSize?: number;
  /** Width of a bucket, ms. Default: an hour. */
  readonly bucketMs?: number;
  /** Most differences that are listed. Default 1000. */
  readonly listed?: number;
  /** Told now and then, when everything up to there is settled. */
  readonly onProgress?: (progress: ParityProgress) => void;
  readonly signal?: AbortSignal;
}

const HOUR_MS = 3_600_000;
const DEFAULT_PAGE = 1_000;
const DEFAULT_LISTED = 1_000;
/** Pages after which unmatched records are settled, and that many of them. */
const SETTLE_PAGES = 16;
const SETTLE_RECORDS = 5_000;

/**
 * Compares two storages record by record, in one pass over the changes of each: all kinds, orphaned records too, with
 * their times and positions. Both may be written to meanwhile. A record that changed after the comparison began is left
 * out: of any other the two must hold the same bytes at the same position, or it is a difference that stands.
 * Memory: two pages, a bucket an hour, the listed differences, and the identities of the records that changed since.
 * @throws AbortedError, CoverageGapError (a side is not whole, or forgot what changed since), StorageUnavailableError
 */
export async function compareRecords(options: ParityOptions): Promise<ParityReport> {
  return await new Comparison(options).run();
}

class Comparison {
  readonly #options: ParityOptions;
  readonly #readers: Readonly<Record<SideName, SideReader>>;
  readonly #pageSize: number;
  readonly #buckets: ParityBuckets;
  readonly #found: FoundDifferences;
  readonly #unmatched = new UnmatchedRecords();
  /** Records that changed since the comparison began, by identity. */
  readonly #changed = new Set<string>();
  readonly #strays = new Set<string>();
  /** Changes up to these are among `#changed`. */
  readonly #tailed: Record<SideName, bigint> = { leader: 0n, follower: 0n };
  #afterPosition = 0n;
  #position = 0n;
  #targetPosition = 0n;
  #records: number;
  #changedSince: number;

  constructor(options: ParityOptions) {
    const { leader, follower, common, throttle, signal, continues } = options;
    this.#options = options;
    this.#readers = {
      leader: new SideReader(leader, common, { throttle, signal }),
      follower: new SideReader(follower, common, { signal }),
    };
    this.#pageSize = options.pageSize ?? DEFAULT_PAGE;
    this.#buckets = new ParityBuckets(continues?.bucketMs ?? options.bucketMs ?? HOUR_MS, continues?.buckets);
    this.#found = new FoundDifferences(options.listed ?? DEFAULT_LISTED, continues);
    this.#records = continues?.records ?? 0;
    this.#changedSince = continues?.changedSince ?? 0;
  }

  async run(): Promise<ParityReport> {
    await this.#begin();
    for (let pages = 1; this.#position < this.#targetPosition; pages += 1) {
      if (this.#options.signal?.aborted) throw new AbortedError('comparing');
      await this.#comparePage();
      const isDue = pages % SETTLE_PAGES === 0 || this.#unmatched.size >= SETTLE_RECORDS;
      if (isDue && this.#unmatched.size > 0) await this.#settle();
      if (this.#unmatched.size === 0) this.#tell();
    }
    await this.#settle();
    return this.#report();
  }

  async #begin(): Promise<void> {
    const { continues, afterPosition = 0n } = this.#options;
    const { leader, follower } = this.#readers;
    // the follower first: the leader is then at least there
    const heads = [await follower.head(), await leader.head()] as const;
    this.#targetPosition = continues?.targetPosition ?? min(heads);
    this.#afterPosition =
      continues?.afterPosition ?? max([afterPosition, await leader.begin(), await follower.begin()]);
    this.#position = continues?.throughPosition ?? this.#afterPosition;
    this.#tailed.leader = this.#targetPosition;
    this.#tailed.follower = this.#targetPosition;
  }

  async #comparePage(): Promise<void> {
    const { leader, follower } = this.#readers;
    const fill = (reader: SideReader) => reader.fill(this.#position, this.#pageSize);
    const begins = max(await Promise.all([fill(leader), fill(follower)]));
    if (begins > this.#position) {
      leader.skip(begins);
      follower.skip(begins);
      this.#position = begins;
      return;
    }
    const throughPosition = min([leader.throughPosition, follower.throughPosition, this.#targetPosition]);
    this.#match(leader.take(throughPosition), follower.take(throughPosition));
    this.#position = throughPosition;
  }

  /** Both in position order; identity and position are in the hash. */
  #match(leaders: readonly SeenRecord[], followers: readonly SeenRecord[]): void {
    this.#records += leaders.length;
    let [i, j] = [0, 0];
    for (let mine = leaders[0], other = followers[0]; mine || other; mine = leaders[i], other = followers[j]) {
      const order = !mine ? 1 : !other ? -1 : compare(mine.change.position, other.change.position);
      if (mine && order <= 0) this.#buckets.add('leader', timeOf(mine), mine.hash);
      if (other && order >= 0) this.#buckets.add('follower', timeOf(other), other.hash);
      const isSame = mine && other && order === 0 && mine.hash.equals(other.hash);
      if (mine && order <= 0 && !isSame) this.#unmatched.add('leader', mine);
      if (other && order >= 0 && !isSame) this.#unmatched.add('follower', other);
      if (order <= 0) i += 1;
      if (order >= 0) j += 1;
    }
  }

  /**
   * A record that neither side has changed since the comparison began is held now as it was then: what is unmatched of
   * it stands. Any other is left out, on both sides.
   */
  async #settle(): Promise<void> {
    await this.#readTail('follower');
    await this.#readTail('leader');
    for (const [key, pair] of this.#unmatched.takeAll())
      if (this.#changed.has(key)) this.#leaveOut(pair);
      else if (!isEqual(pair)) this.#found.add(key, pair);
  }

  async #readTail(side: SideName): Promise<void> {
    const reader = this.#readers[side];
    for await (const { changes, throughPosition, headPosition } of reader.tail(this.#tailed[side], this.#pageSize)) {
      for (const change of changes)
        if (change.position <= headPosition) this.#changed.add(changedRecord(change));
        else this.#takeStray(side, change);
      this.#tailed[side] = min([throughPosition, headPosition]);
    }
  }

  /** No commit has reached the position of the change: it was not made by one. */
  #takeStray(side: SideName, change: Change): void {
    const name = `${side} ${change.position} ${changedRecord(change)}`;
    if (this.#strays.has(name)) return;
    this.#strays.add(name);
    const seen = { change, hash: hashOfRecord(change) };
    this.#buckets.add(side, timeOf(seen), seen.hash);
    this.#unmatched.add(side, seen);
  }

  #leaveOut({ leader, follower }: Pair): void {
    this.#changedSince += 1;
    if (leader) this.#buckets.subtract('leader', timeOf(leader), leader.hash);
    if (follower) this.#buckets.subtract('follower', timeOf(follower), follower.hash);
  }

  #tell(): void {
    this.#options.onProgress?.({
      throughPosition: this.#position,
      targetPosition: this.#targetPosition,
      records: this.#records,
      differenceCounts: this.#found.counts,
      report: () => this.#report(),
    });
  }

  #report(): ParityReport {
    return {
      afterPosition: this.#afterPosition,
      throughPosition: this.#position,
      targetPosition: this.#targetPosition,
      parts: { leader: this.#partsOf('leader'), follower: this.#partsOf('follower') },
      records: this.#records,
      changedSince: this.#changedSince,
      bucketMs: this.#buckets.widthMs,
      buckets: this.#buckets.list(),
      differenceCounts: this.#found.counts,
      differences: this.#found.list(),
    };
  }

  #partsOf(side: SideName): readonly ComparedPart[] {
    const known = this.#options.continues?.parts[side] ?? [];
    const read = this.#readers[side].parts
      .filter(({ afterPosition }) => afterPosition < this.#position)
      .map((part) => ({ ...part, throughPosition: min([part.throughPosition, this.#position]) }));
    return [...known, ...read];
  }
}

function isEqual({ leader, follower }: Pair): boolean {
  return leader !== null && follower !== null && leader.hash.equals(follower.hash);
}

function compare(a: bigint, b: bigint): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function min(values: readonly [bigint, ...bigint[]]): bigint {
  let [least] = values;
  for (const value of values) if (value < least) least = value;
  return least;
}

function max(values: readonly [bigint, ...bigint[]]): bigint {
  let [most] = values;
  for (const value of values) if (value > most) most = value;
  return most;
}
