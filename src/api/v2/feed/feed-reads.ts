import { LRUCache } from 'lru-cache';
import type { ChangeSet } from '../../../model/batch.js';
import type { AdvanceEvent, Storage } from '../../../storage/storage.js';
import { type FeedChange, feedChange } from './feed-changes.js';

/** Consecutive changes, rendered. */
export interface FeedSet {
  readonly changes: readonly FeedChange[];
  readonly throughPosition: bigint;
  readonly headPosition: bigint;
}

/** The storage that a feed reads. */
export type FeedStorage = Pick<Storage, 'changesAfter' | 'boundaryAt' | 'subscribe'>;

/** Reads of all readers of one storage. */
export interface FeedReads {
  /** The changes after a position, rendered. Readers that stand at one place share one read. */
  after(position: bigint): Promise<FeedSet>;
  /** The position of the last commit. */
  head(): Promise<bigint>;
  /** Resolves when there may be more after `position`, when the storage was set back, or `signal` ends it. */
  news(position: bigint, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** Changes that one read takes: of the usual size, some hundred KiB. */
const SET_CHANGES = 250;
/** A rendered set ends with the change that reaches this: a slow reader holds one, and large ones must fit as well. */
export const MAX_SET_CHARACTERS = 2 << 20;
/** Rendered sets that are kept for readers a little behind. */
const KEPT_SETS = 8;
const MAX_BOUNDARY = 2n ** 63n - 1n;

export function createFeedReads(storage: FeedStorage): FeedReads {
  /** By the position that they follow; only full ones stay, since others grow. */
  const kept = new LRUCache<bigint, FeedSet>({ max: KEPT_SETS });
  const underWay = new Map<bigint, Promise<FeedSet>>();
  const waiting = new Set<() => void>();
  let heard = 0n;
  /** Rises with every event: a read from before is not kept. */
  let generation = 0;

  function hear(event: AdvanceEvent): void {
    // changes of before are told again at their new positions, or are no more
    kept.clear();
    underWay.clear();
    generation += 1;
    if (event.kind === 'committed') heard = event.changes.throughPosition;
    else heard = event.kind === 'advanced' ? event.throughPosition : event.head.position;
    const woken = [...waiting];
    waiting.clear();
    for (const wake of woken) wake();
  }
  const unsubscribe = storage.subscribe(hear);

  async function load(position: bigint): Promise<FeedSet> {
    const asked = generation;
    const set = await storage.changesAfter(position, SET_CHANGES);
    const rendered = render(set);
    if (rendered.throughPosition < rendered.headPosition && asked === generation) kept.set(position, rendered);
    return rendered;
  }

  return {
    async after(position) {
      const known = kept.get(position) ?? underWay.get(position);
      if (known) return await known;
      const reading = load(position).finally(() => {
        if (underWay.get(position) === reading) underWay.delete(position);
      });
      underWay.set(position, reading);
      return await reading;
    },
    head: async () => (await storage.boundaryAt({ position: MAX_BOUNDARY })).position,
    async news(position, signal) {
      if (signal.aborted || heard > position) return;
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener('abort', wake);
          waiting.delete(wake);
          resolve();
        };
        signal.addEventListener('abort', wake);
        waiting.add(wake);
      });
    },
    close() {
      unsubscribe();
      for (const wake of [...waiting]) wake();
    },
  };
}

function render({ changes: all, throughPosition, headPosition }: ChangeSet): FeedSet {
  const changes: FeedChange[] = [];
  let characters = 0;
  for (const change of all) {
    const told = feedChange(change);
    if (told === null) continue;
    changes.push(told);
    characters += told.json.length;
    if (characters >= MAX_SET_CHARACTERS && change !== all.at(-1))
      return { changes, throughPosition: change.position, headPosition };
  }
  return { changes, throughPosition, headPosition };
}
