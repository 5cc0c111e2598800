import type { Clock } from '../../core/clock.js';
import type { Hex } from '../../core/hex.js';
import type { MemoryCoverage } from './memory-coverage.js';
import type { Evicted, RecordStore } from './record-store.js';

/** Records that one step forgets at most, a commit's records counting as one: about a millisecond of work. */
const STEP_RECORDS = 1000;

/** Above every ingestion time. */
const LATEST_MS = Number.MAX_SAFE_INTEGER - 1;

/** The limits of a memory storage. */
export interface Window {
  /** Records older than this go; 0 = no limit. */
  readonly ttlMs: number;
  /** Most records of all kinds; 0 = no limit. */
  readonly maxSize: number;
  /** Most bytes of all records, about; 0 = no limit. */
  readonly maxBytes: number;
}

/** The state that an eviction works on. */
export interface EvictionScope {
  readonly store: RecordStore;
  readonly coverage: MemoryCoverage;
  readonly clock: Clock;
  readonly window: Window;
  /** Told of each message id of which nothing is left. */
  readonly gone: (messageId: Hex) => void;
  /** Told of each step. */
  readonly evicted: (evicted: Evicted) => void;
}

/**
 * One step of eviction: the oldest commits that are past the time to live, then the oldest above the size or the bytes,
 * all kinds of record at once, quarantined input and conflicts too. Coverage moves before anything is forgotten, and
 * whole commits go, so that coverage is exact.
 * @returns true when another step is due.
 */
export function evictStep(scope: EvictionScope): boolean {
  const { store, coverage } = scope;
  const dueMs = dueThrough(scope);
  const due = store.countThrough(dueMs);
  if (due === 0) return false;
  const stepMs = due <= STEP_RECORDS ? timeOfNth(store, due, dueMs) : timeOfNth(store, STEP_RECORDS, dueMs);
  coverage.forget(stepMs, store.lastPositionThrough(stepMs));
  scope.evicted(store.evictThrough(stepMs, scope.gone));
  return store.countThrough(dueThrough(scope)) > 0;
}

/** Everything with an ingestion time at or below this has to go. */
function dueThrough({ store, coverage, clock, window }: EvictionScope): number {
  const expiredMs = window.ttlMs === 0 ? -1 : clock.nowMs() - window.ttlMs - 1;
  const tooMany = window.maxSize === 0 ? 0 : store.size - window.maxSize;
  const excess = Math.max(tooMany, tooLarge(store, window.maxBytes));
  // a follower in the middle of catching up holds commits above the last head that it knows
  const newestMs = coverage.isWhole ? coverage.headMs : LATEST_MS;
  return excess <= 0 ? expiredMs : Math.max(expiredMs, timeOfNth(store, excess, newestMs));
}

/** The number of oldest records that would free the excess, were all of one size; smaller ones take more steps. */
function tooLarge({ size, estimatedBytes }: RecordStore, maxBytes: number): number {
  if (maxBytes === 0 || estimatedBytes <= maxBytes) return 0;
  return Math.ceil((size * (estimatedBytes - maxBytes)) / estimatedBytes);
}

/** The ingestion time of the n-th oldest record (from 1), which is at or below `mostMs`. */
function timeOfNth(store: RecordStore, n: number, mostMs: number): number {
  let low = store.oldestMs() ?? mostMs;
  let high = mostMs;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (store.countThrough(middle) >= n) high = middle;
    else low = middle + 1;
  }
  return low;
}
