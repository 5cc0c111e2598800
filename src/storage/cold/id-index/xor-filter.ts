import type { Steps } from '../parquet/steps.js';
import type { IdHash } from './hash.js';

/**
 * A static filter: says "not here" for all but one in 65 536 of the ids that are not in the set, and never for one that
 * is. An xor filter (Graf and Lemire, "Xor Filters: Faster and Smaller Than Bloom and Cuckoo Filters", 2020) with
 * fingerprints of 16 bits, 2.5 bytes a key. 8 bits would halve that, but the ids that are nowhere are asked of every
 * file: over 590 files (10^8 records) 8 bits let 2.3 of them through to a request each, 16 bits 0.01.
 */
export interface XorFilter {
  readonly seed: number;
  /** Three equal parts; an id's fingerprint is the xor of one slot of each. */
  readonly slots: Uint16Array;
  /** Values of the ids of the set, kept as the fingerprints are: the xor of three slots. Null: no values. */
  readonly values: Uint16Array | null;
}

/** Another seed is tried when the keys of a set cannot be ordered; each try fails with a probability below one half. */
const MAX_TRIES = 100;
/** Keys that are worked on without a pause: some milliseconds. */
const STEP_KEYS = 16_384;

/** The slots of a filter over so many different ids. */
export function filterSlots(ids: number): number {
  return ids === 0 ? 0 : 3 * Math.ceil((32 + 1.23 * ids) / 3);
}

/** The hashes of a set, by halves, each hash once, and the value of each. */
export interface FilterKeys {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
  readonly values: Uint16Array | null;
}

/** Builds the filter of a set. */
export function* buildingXorFilter(keys: FilterKeys): Steps<XorFilter> {
  if (keys.high.length === 0) return { seed: 0, slots: new Uint16Array(0), values: keys.values };
  for (let seed = 1; seed <= MAX_TRIES; seed++) {
    const filter = yield* tryBuild(keys, seed);
    if (filter) return filter;
  }
  throw new TypeError('a hash occurs twice in the set of a filter');
}

/** False when the id is certainly not in the set. */
export function filterContains({ seed, slots }: Pick<XorFilter, 'seed' | 'slots'>, hash: IdHash): boolean {
  const part = slots.length / 3;
  if (part === 0) return false;
  return combined(slots, hash.high, hash.low, seed, part) === fingerprint(hash.high, hash.low, seed);
}

/** The value of an id of the set, any number for other ids. Null: no values. */
export function filterValue({ seed, slots, values }: XorFilter, { high, low }: IdHash): number | null {
  return values && combined(values, high, low, seed, slots.length / 3);
}

/**
 * Peels the set: a slot that only one key maps to is that key's to choose; without the key, other slots become such. In
 * the reverse order every key finds its slot still free.
 */
function* tryBuild({ high, low, values: given }: FilterKeys, seed: number): Steps<XorFilter | null> {
  const size = filterSlots(high.length);
  const part = size / 3;
  const counts = new Uint32Array(size);
  const keys = new Uint32Array(size);
  for (let key = 0; key < high.length; key++) {
    if (key % STEP_KEYS === STEP_KEYS - 1) yield;
    for (let third = 0; third < 3; third++) {
      const slot = place(third, high[key] ?? 0, low[key] ?? 0, seed, part);
      counts[slot] = (counts[slot] ?? 0) + 1;
      keys[slot] = (keys[slot] ?? 0) ^ key;
    }
  }

  const free: number[] = [];
  for (let slot = 0; slot < size; slot++) if (counts[slot] === 1) free.push(slot);
  const peeledKeys: number[] = [];
  const peeledSlots: number[] = [];
  for (let slot = free.pop(); slot !== undefined; slot = free.pop()) {
    if (counts[slot] !== 1) continue;
    if (peeledKeys.length % STEP_KEYS === STEP_KEYS - 1) yield;
    const key = keys[slot] ?? 0;
    peeledKeys.push(key);
    peeledSlots.push(slot);
    for (let third = 0; third < 3; third++) {
      const other = place(third, high[key] ?? 0, low[key] ?? 0, seed, part);
      counts[other] = (counts[other] ?? 0) - 1;
      keys[other] = (keys[other] ?? 0) ^ key;
      if (counts[other] === 1) free.push(other);
    }
  }
  if (peeledKeys.length < high.length) return null;

  const slots = new Uint16Array(size);
  const values = given && new Uint16Array(size);
  for (let at = peeledKeys.length - 1; at >= 0; at--) {
    if (at % STEP_KEYS === STEP_KEYS - 1) yield;
    const key = peeledKeys[at] ?? 0;
    const [h, l] = [high[key] ?? 0, low[key] ?? 0];
    const slot = peeledSlots[at] ?? 0;
    slots[slot] = combined(slots, h, l, seed, part) ^ fingerprint(h, l, seed);
    if (values) values[slot] = combined(values, h, l, seed, part) ^ (given?.[key] ?? 0);
  }
  return { seed, slots, values };
}

/** The xor of a key's three slots. */
function combined(slots: Uint16Array, high: number, low: number, seed: number, part: number): number {
  let bits = 0;
  for (let third = 0; third < 3; third++) bits ^= slots[place(third, high, low, seed, part)] ?? 0;
  return bits;
}

/** A key's slot in a part. */
function place(third: number, high: number, low: number, seed: number, part: number): number {
  if (third === 0) return scale(mix(high ^ Math.imul(seed, 0x9e3779b1), low), part);
  if (third === 1) return part + scale(mix(low ^ Math.imul(seed, 0x85ebca6b), high), part);
  return 2 * part + scale(mix(high + low + seed, low ^ 0x27d4eb2f), part);
}

function fingerprint(high: number, low: number, seed: number): number {
  return mix(low + Math.imul(seed, 0xc2b2ae35), high ^ 0x165667b1) & 0xffff;
}

/** A number below `part` from 32 bits, without the slow remainder. */
function scale(hash: number, part: number): number {
  return Math.floor((hash * part) / 0x1_0000_0000);
}

function mix(a: number, b: number): number {
  let hash = Math.imul(a ^ (a >>> 16), 0x7feb352d) ^ b;
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
