/** The records of one side whose ingestion times lie in one bucket. */
export interface BucketSum {
  readonly count: number;
  /** Sum of the records' hashes (their first 16 bytes, as four u32, each modulo 2^32), so that no order counts. */
  readonly hash: string;
}

/** A span of ingestion times with the sums of both sides. */
export interface ParityBucket {
  /** First ingestion time of the bucket, unix ms; null: the records without one, cursors. */
  readonly fromMs: number | null;
  readonly leader: BucketSum;
  readonly follower: BucketSum;
}

/** The two sides of a comparison. */
export type SideName = 'leader' | 'follower';

/** The sums of one bucket while they change. */
interface Sums {
  readonly counts: Record<SideName, number>;
  readonly hashes: Record<SideName, Uint32Array>;
}

const WORDS = 4;
/** Where records without an ingestion time are. */
const TIMELESS = -1;

/** Counts and hashes by ingestion time. Some 200 bytes a bucket that holds anything. */
export class ParityBuckets {
  readonly widthMs: number;
  readonly #buckets = new Map<number, Sums>();

  constructor(widthMs: number, known: readonly ParityBucket[] = []) {
    this.widthMs = widthMs;
    for (const { fromMs, leader, follower } of known)
      this.#buckets.set(fromMs === null ? TIMELESS : Math.floor(fromMs / widthMs), {
        counts: { leader: leader.count, follower: follower.count },
        hashes: { leader: parseHash(leader.hash), follower: parseHash(follower.hash) },
      });
  }

  add(side: SideName, ingestionMs: number | null, hash: Buffer): void {
    this.#change(side, ingestionMs, hash, 1);
  }

  /** Undoes an `add`. */
  subtract(side: SideName, ingestionMs: number | null, hash: Buffer): void {
    this.#change(side, ingestionMs, hash, -1);
  }

  /** All buckets that hold anything, by time; the one without time is first. */
  list(): ParityBucket[] {
    const filled = [...this.#buckets].filter(([, { counts }]) => counts.leader > 0 || counts.follower > 0);
    return filled
      .sort(([a], [b]) => a - b)
      .map(([number, sums]) => ({
        fromMs: number === TIMELESS ? null : number * this.widthMs,
        leader: sumOf(sums, 'leader'),
        follower: sumOf(sums, 'follower'),
      }));
  }

  #change(side: SideName, ingestionMs: number | null, hash: Buffer, sign: 1 | -1): void {
    const number = ingestionMs === null ? TIMELESS : Math.floor(ingestionMs / this.widthMs);
    let sums = this.#buckets.get(number);
    if (!sums) {
      sums = {
        counts: { leader: 0, follower: 0 },
        hashes: { leader: new Uint32Array(WORDS), follower: new Uint32Array(WORDS) },
      };
      this.#buckets.set(number, sums);
    }
    sums.counts[side] += sign;
    const words = sums.hashes[side];
    for (let word = 0; word < WORDS; word += 1) words[word] = (words[word] ?? 0) + sign * hash.readUInt32BE(4 * word);
  }
}

/** Whether both sides hold the same in a bucket. */
export function isEqualBucket({ leader, follower }: ParityBucket): boolean {
  return leader.count === follower.count && leader.hash === follower.hash;
}

function sumOf({ counts, hashes }: Sums, side: SideName): BucketSum {
  const words = [...hashes[side]].map((word) => word.toString(16).padStart(8, '0'));
  return { count: counts[side], hash: words.join('') };
}

function parseHash(hash: string): Uint32Array {
  return Uint32Array.from({ length: WORDS }, (_, word) => Number.parseInt(hash.slice(8 * word, 8 * word + 8), 16));
}
