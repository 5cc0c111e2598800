import type { Common } from '../core/common.js';
import type { BackfillPosition, MoveStore } from '../storage/move-store.js';
import type { Storage } from '../storage/storage.js';
import type { Throttle } from './throttle.js';

/** Changes read at once. */
const PAGE_SIZE = 1_000;
/** Another process moved it: it does the work, and this one looks whether it still does. */
const YIELD_MS = 2_000;

/** Dependencies of a backfill. */
export interface BackfillOptions {
  /** The storage that leads, with its colder tiers: it has everything from the beginning. */
  readonly source: Pick<Storage, 'changesAfter' | 'boundaryAt'>;
  readonly target: Pick<MoveStore, 'look' | 'backfill'>;
  readonly throttle: Throttle;
  readonly common: Pick<Common, 'clock'>;
  readonly signal: AbortSignal;
  readonly onProgress?: (at: BackfillPosition) => void;
}

/**
 * Takes over the records from below the beginning of a database, page by page, each page with how far it is, so that it
 * goes on anywhere after a crash. Several may run: one works and the others look on.
 * @throws AbortedError, and errors of the storages.
 */
export async function runBackfill(options: BackfillOptions): Promise<void> {
  const { source, target, throttle, common, signal, onProgress } = options;
  let at = (await target.look()).backfill;
  while (at !== null) {
    await throttle.take(PAGE_SIZE, signal);
    const beganMs = common.clock.monotonicMs();
    const set = await source.changesAfter(at.position, PAGE_SIZE);
    const boundary = await source.boundaryAt({ position: least(set.throughPosition, at.throughPosition) });
    throttle.answered(common.clock.monotonicMs() - beganMs);
    const known = set.boundaries ?? (boundary.position > at.position ? [boundary] : []);
    const next = await target.backfill({ ...set, boundaries: known });
    const isOurs = next === null || next.position >= least(set.throughPosition, at.throughPosition);
    if (next !== null) onProgress?.(next);
    at = next;
    if (!isOurs) await common.clock.sleep(YIELD_MS, signal);
  }
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
