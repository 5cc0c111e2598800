import type { Hex } from '../../../../core/hex.js';
import { hashId } from '../../id-index/hash.js';

const PART_BITS = 20n;
const PART_POSITIONS = 1n << PART_BITS;

/** Positions that were seen, and how many of them twice. A bit each: positions are numbers without gaps. */
export class SeenPositions {
  readonly #parts = new Map<bigint, Uint8Array>();
  doubles = 0;
  highest = 0n;

  add(position: bigint): void {
    if (position > this.highest) this.highest = position;
    const name = position >> PART_BITS;
    let part = this.#parts.get(name);
    if (!part) {
      part = new Uint8Array(Number(PART_POSITIONS >> 3n));
      this.#parts.set(name, part);
    }
    const place = Number(position & (PART_POSITIONS - 1n));
    const bit = 1 << (place & 7);
    const byte = part[place >>> 3] ?? 0;
    if ((byte & bit) !== 0) this.doubles += 1;
    part[place >>> 3] = byte | bit;
  }
}

const FIRST_SLOTS = 1 << 16;
/** 512 MiB. Records beyond half as many are not compared. */
const MAX_SLOTS = 1 << 26;
const TWO_TO_THE_21 = 2 ** 21;

/**
 * Identities that were seen, by 53 bits of their hash, and how many of them twice: of ten million records two differ in
 * nothing else with a probability of half a percent. Open addressing over one array of numbers; 0 is a free slot.
 */
export class SeenIdentities {
  #slots = new Float64Array(FIRST_SLOTS);
  #count = 0;
  doubles = 0;
  /** Records that came when there was no more room. */
  uncompared = 0;

  add(identity: string): void {
    const { high, low } = hashId(identity as Hex);
    const hash = high * TWO_TO_THE_21 + (low >>> 11) || 1;
    if (this.#count * 2 >= this.#slots.length) {
      if (this.#slots.length >= MAX_SLOTS) {
        this.uncompared += 1;
        return;
      }
      this.#grow();
    }
    if (insert(this.#slots, hash)) this.#count += 1;
    else this.doubles += 1;
  }

  #grow(): void {
    const grown = new Float64Array(this.#slots.length * 2);
    for (const hash of this.#slots) if (hash !== 0) insert(grown, hash);
    this.#slots = grown;
  }
}

/** False when it is there already. */
function insert(slots: Float64Array, hash: number): boolean {
  let at = hash % slots.length;
  for (; slots[at] !== 0; at = (at + 1) % slots.length) if (slots[at] === hash) return false;
  slots[at] = hash;
  return true;
}
