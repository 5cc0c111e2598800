import { changedRecord, type RecordRef, refOf } from '../../model/identity.js';
import type { SideName } from './buckets.js';
import type { SeenRecord } from './side-reader.js';

/** One side of a difference. */
export interface Held {
  readonly position: bigint;
  /** sha256 of the record, as hex; see `hashOfRecord`. */
  readonly hash: string;
  /** Unix ms; null: a cursor. */
  readonly ingestionMs: number | null;
}

/**
 * A record that the two sides hold differently: `missing` in the follower, `surplus` in the follower, or `different`
 * in contents, time or position.
 */
export interface Difference {
  readonly what: 'missing' | 'surplus' | 'different';
  readonly ref: RecordRef;
  readonly leader: Held | null;
  readonly follower: Held | null;
}

/** Differences by kind. */
export type DifferenceCounts = Readonly<Record<Difference['what'], number>>;

/** A record that was not found alike on both sides so far. */
export interface Pair {
  readonly ref: RecordRef;
  leader: SeenRecord | null;
  follower: SeenRecord | null;
}

/** Unmatched records by identity. */
export class UnmatchedRecords {
  readonly #pairs = new Map<string, Pair>();

  get size(): number {
    return this.#pairs.size;
  }

  add(side: SideName, record: SeenRecord): void {
    const key = changedRecord(record.change);
    const pair = this.#pairs.get(key) ?? { ref: refOf(record.change), leader: null, follower: null };
    pair[side] = record;
    this.#pairs.set(key, pair);
  }

  /** All of them, which are then no longer here. */
  takeAll(): readonly (readonly [key: string, pair: Pair])[] {
    const all = [...this.#pairs];
    this.#pairs.clear();
    return all;
  }
}

/**
 * Differences that were found: counted without limit, listed up to `most`. Two halves of one difference that are found
 * far apart become one while the first is listed.
 */
export class FoundDifferences {
  readonly #listed = new Map<string, Difference>();
  readonly #counts: Record<Difference['what'], number>;
  readonly #most: number;

  constructor(
    most: number,
    known?: { readonly differences: readonly Difference[]; readonly differenceCounts: DifferenceCounts },
  ) {
    this.#most = most;
    this.#counts = { missing: 0, surplus: 0, different: 0, ...known?.differenceCounts };
    for (const each of known?.differences ?? []) this.#listed.set(changedRecord(each.ref), each);
  }

  get counts(): DifferenceCounts {
    return { ...this.#counts };
  }

  list(): Difference[] {
    return [...this.#listed.values()];
  }

  add(key: string, { ref, leader, follower }: Pair): void {
    const listed = this.#listed.get(key);
    if (listed) this.#counts[listed.what] -= 1;
    const both = {
      leader: leader ? heldOf(leader) : (listed?.leader ?? null),
      follower: follower ? heldOf(follower) : (listed?.follower ?? null),
    };
    const what = both.leader === null ? 'surplus' : both.follower === null ? 'missing' : 'different';
    this.#counts[what] += 1;
    if (listed || this.#listed.size < this.#most) this.#listed.set(key, { what, ref, ...both });
  }
}

/** The ingestion time of a record; null: a cursor has none. */
export function timeOf({ change }: SeenRecord): number | null {
  return change.kind === 'cursor' ? null : change.record.ingestionMs;
}

function heldOf(seen: SeenRecord): Held {
  return { position: seen.change.position, hash: seen.hash.toString('hex'), ingestionMs: timeOf(seen) };
}
