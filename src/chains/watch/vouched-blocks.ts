import type { Hex } from '../../core/hex.js';
import type { Anchor } from './header-chain.js';

/** Consecutive finalized blocks, and which nodes have answered for all of them. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  /** Hash of block `to`; null where it is not known. */
  readonly hash: Hex | null;
  /** Indexes of the URLs that were read; empty where that is not known. */
  readonly urls: ReadonlySet<number>;
  /** The messages that are stored from these blocks, key → block number; null where that is not known. */
  readonly logs: ReadonlyMap<string, number> | null;
}

interface Entry extends Stretch {
  /** Not asked about before that time, on the monotonic clock. */
  readonly notBeforeMs: number;
  readonly failures: number;
}

/**
 * Bound of the memory, in logs of about 150 bytes. Stretches beyond are read as if nothing were stored from them, and
 * become one: each look goes through all that there are.
 */
const MAX_LOGS = 100_000;
/** The memory of a stretch beside its logs, counted in logs. */
const STRETCH_LOGS = 50;

/**
 * Up to where finalized blocks are confirmed, and who vouches for those above that.
 *
 * Blocks are *confirmed* when two nodes have answered for them, at least one of which was never found lying, or when
 * all have. Every block from the stored watermark to the last one noted is in exactly one entry; the entries are
 * ascending and without gaps. A node that is found lying takes the blocks that only lying nodes vouched for out of
 * the confirmed ones.
 */
export class VouchedBlocks {
  readonly #crossCheck: boolean;
  readonly #urlCount: number;
  readonly #maxBlocks: number;
  readonly #lying = new Set<number>();
  #watermark: Anchor;
  #entries: Entry[] = [];

  /** `crossCheck`: two of the `urlCount` nodes are wanted. `maxBlocks`: most blocks in a stretch of `next`. */
  constructor(options: {
    readonly crossCheck: boolean;
    readonly urlCount: number;
    readonly maxBlocks: number;
    readonly watermark: Anchor;
  }) {
    this.#crossCheck = options.crossCheck;
    this.#urlCount = options.urlCount;
    this.#maxBlocks = options.maxBlocks;
    this.#watermark = options.watermark;
  }

  /** The last block such that it and all blocks below it are confirmed, with its hash where that is known. */
  get watermark(): Anchor {
    let { number, hash } = this.#watermark;
    for (const entry of this.#entries) {
      if (!this.#isConfirmed(entry)) break;
      ({ to: number, hash } = entry);
    }
    return { number, hash };
  }

  /** The last block that was noted. */
  get last(): number {
    return this.#entries.at(-1)?.to ?? this.#watermark.number;
  }

  /** The lowest block of known hash that is not below `number`; null when there is none. */
  knownFrom(number: number): Anchor | null {
    const entry = this.#entries.find(({ to, hash }) => to >= number && hash !== null);
    return entry ? { number: entry.to, hash: entry.hash } : null;
  }

  /** How many blocks are not confirmed. */
  get unconfirmedBlocks(): number {
    return this.#entries.reduce((sum, entry) => sum + (this.#isConfirmed(entry) ? 0 : entry.to - entry.from + 1), 0);
  }

  /** Indexes of the URLs that were found lying. */
  get lying(): readonly number[] {
    return [...this.#lying].sort((a, b) => a - b);
  }

  /** Blocks were read. Those through the last one noted are known already; blocks in between are of unknown origin. */
  note(stretch: Stretch): void {
    const next = this.last + 1;
    if (stretch.to < next) return;
    if (stretch.from > next) this.#append(waiting({ ...UNKNOWN, from: next, to: stretch.from - 1 }));
    const remembered = this.#entries.reduce((sum, { logs }) => sum + (logs ? logs.size + STRETCH_LOGS : 0), 0);
    const logs = remembered + (stretch.logs?.size ?? 0) > MAX_LOGS ? null : stretch.logs;
    this.#append(waiting(part({ ...stretch, logs }, Math.max(stretch.from, next), stretch.to)));
  }

  /**
   * Blocks about which one of these nodes is to be asked now, the lowest unless that failed; null when there are
   * none.
   */
  next(nowMs: number, reachableUrls: readonly number[]): Stretch | null {
    const entry = this.#entries.find(
      (each) => each.notBeforeMs <= nowMs && this.#isWanted(each) && reachableUrls.some((url) => !each.urls.has(url)),
    );
    if (!entry) return null;
    // the lowest may be for ever below the blocks that a node keeps: every other question after that is about the
    // highest
    const from = entry.failures % 2 === 0 ? entry.from : Math.max(entry.from, entry.to - this.#maxBlocks + 1);
    return part(entry, from, Math.min(entry.to, from + this.#maxBlocks - 1));
  }

  /** These nodes answered for the blocks of `stretch`, which end with `hash`; all their logs are stored. */
  vouched(stretch: Stretch, urls: readonly number[], hash: Hex): void {
    this.#replace(stretch, (entry) => ({
      ...entry,
      hash,
      urls: new Set([...entry.urls, ...urls]),
      logs: null,
      failures: 0,
    }));
  }

  /**
   * Not all nodes answered for `stretch`: when they are still wanted, the next question waits for
   * `pauseMs(failures)`.
   */
  defer(stretch: Stretch, nowMs: number, pauseMs: (failures: number) => number): void {
    this.#replace(stretch, (entry) =>
      this.#isWanted(entry)
        ? { ...entry, notBeforeMs: nowMs + pauseMs(entry.failures), failures: entry.failures + 1 }
        : entry,
    );
  }

  /** A node left out logs: blocks that only lying nodes vouched for are read again. True when that is news. */
  foundLying(url: number): boolean {
    if (this.#lying.has(url)) return false;
    this.#lying.add(url);
    return true;
  }

  #isConfirmed({ urls }: Stretch): boolean {
    return urls.size >= 2 && (urls.size === this.#urlCount || this.#isTrusted(urls));
  }

  #isTrusted(urls: ReadonlySet<number>): boolean {
    for (const url of urls) if (!this.#lying.has(url)) return true;
    return false;
  }

  #isWanted(entry: Entry): boolean {
    if (this.#isConfirmed(entry)) return false;
    if (this.#crossCheck) return true;
    return this.#lying.size > 0 && !this.#isTrusted(entry.urls);
  }

  #append(entry: Entry): void {
    const last = this.#entries.at(-1);
    if (!last || !this.#mayMerge(last, entry)) this.#entries.push(entry);
    else {
      const logs = last.logs && entry.logs && new Map([...last.logs, ...entry.logs]);
      const notBeforeMs = Math.max(last.notBeforeMs, entry.notBeforeMs);
      const failures = Math.max(last.failures, entry.failures);
      this.#entries[this.#entries.length - 1] = { ...entry, from: last.from, logs, notBeforeMs, failures };
    }
  }

  /** Entries whose logs are not remembered may be of any length; others are read again in one go. */
  #mayMerge(a: Entry, b: Entry): boolean {
    if (!sameUrls(a.urls, b.urls)) return false;
    if (a.failures > 0 !== b.failures > 0) return false;
    if (a.logs === null || b.logs === null) return a.logs === b.logs;
    return b.to - a.from < this.#maxBlocks;
  }

  #replace({ from, to }: Stretch, change: (entry: Entry) => Entry): void {
    const at = this.#entries.findIndex((entry) => entry.from <= from && from <= entry.to);
    const entry = this.#entries[at];
    if (!entry || to > entry.to) return;
    const rest = this.#entries.splice(at).slice(1);
    if (entry.from < from) this.#append({ ...entry, ...part(entry, entry.from, from - 1) });
    this.#append(change({ ...entry, ...part(entry, from, to) }));
    if (to < entry.to) this.#append({ ...entry, ...part(entry, to + 1, entry.to) });
    for (const each of rest) this.#append(each);
  }
}

/** Blocks that were stored before this process began: their nodes and logs are not known. */
export const UNKNOWN = { hash: null, urls: new Set<number>(), logs: null } as const;

function waiting(stretch: Stretch): Entry {
  return { ...stretch, notBeforeMs: Number.NEGATIVE_INFINITY, failures: 0 };
}

/** Blocks `from` to `to` of `stretch`. */
function part(stretch: Stretch, from: number, to: number): Stretch {
  if (from === stretch.from && to === stretch.to) return stretch;
  const logs = stretch.logs && new Map([...stretch.logs].filter(([, block]) => block >= from && block <= to));
  return { ...stretch, from, to, logs, hash: to === stretch.to ? stretch.hash : null };
}

function sameUrls(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  return a.size === b.size && [...a].every((url) => b.has(url));
}
