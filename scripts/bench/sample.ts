import type { Hex } from '../../src/core/hex.js';
import { seededRandom } from '../../src/core/random.js';
import type { ChangeSet } from '../../src/model/batch.js';

/** A record to ask for. */
export interface Asked {
  readonly messageId: Hex;
  readonly ingestionMs: number;
}

/** Records picked while a tier is filled. */
export interface Sample {
  see(set: ChangeSet): void;
  /** From all over the tier, in no order, as many clients ask. */
  readonly spread: readonly Asked[];
  /** So far apart that no two lie in one row group of the cold tier: a cache of rows does not help. */
  readonly apart: readonly Asked[];
  /**
   * From every file of the cold tier, also the last and smallest, in other row groups than those of `apart`: they warm
   * its indexes.
   */
  readonly everywhere: readonly Asked[];
}

const SPREAD = 10_000;
/** More than a row group has of records of 2 KB. */
const APART_RECORDS = 256;
const BLOCK = 3 * APART_RECORDS;
const APART_AT: ReadonlySet<number> = new Set([APART_RECORDS, 2 * APART_RECORDS]);
const BLOCKS_BETWEEN_WARMING = 4;
const MAX_APART = 500;

/** Picks from the first `total` records that a storage is given, in their order. */
export function createSample(total: number): Sample {
  const spread: Asked[] = [];
  const apart: Asked[] = [];
  const everywhere: Asked[] = [];
  const every = Math.max(1, Math.floor(total / SPREAD));
  const apartEvery = Math.max(1, Math.floor(((total / BLOCK) * APART_AT.size) / MAX_APART));
  const random = seededRandom(9);
  let seen = 0;
  let candidates = 0;
  return {
    see({ changes }) {
      for (const change of changes) {
        if (change.kind !== 'verifierResult') continue;
        const { messageId, ingestionMs } = change.record;
        // inside out: every order is equally likely
        if (seen % every === 0) insertAnywhere(spread, { messageId, ingestionMs }, random);
        const inBlock = seen % BLOCK;
        if (inBlock === 0 && (seen / BLOCK) % BLOCKS_BETWEEN_WARMING === 0) everywhere.push({ messageId, ingestionMs });
        if (seen === total - 1) everywhere.push({ messageId, ingestionMs });
        if (APART_AT.has(inBlock) && seen < total - APART_RECORDS) {
          if (candidates % apartEvery === 0) apart.push({ messageId, ingestionMs });
          candidates += 1;
        }
        seen += 1;
      }
    },
    spread,
    apart,
    everywhere,
  };
}

function insertAnywhere<T>(list: T[], value: T, random: () => number): void {
  const at = Math.floor(random() * (list.length + 1));
  const moved = list[at];
  list[at] = value;
  if (moved !== undefined) list.push(moved);
}
