import type { Hex } from '../../core/hex.js';

const FIRST_LAYER_IDS = 8192;
const BITS_PER_ID = 20;
const PROBES = 14;

interface Layer {
  readonly bits: Uint32Array;
  readonly capacity: number;
  used: number;
}

/**
 * Remembers which message ids a storage once held something about, in two and a half bytes each: Bloom filters that
 * double in size. It never forgets one; about one in ten thousand others looks as if it had been held, which costs a
 * by-id lookup of it, never an answer that is not whole.
 */
export class EvictedIds {
  readonly #layers: Layer[] = [];

  add(messageId: Hex): void {
    let layer = this.#layers.at(-1);
    if (!layer || layer.used >= layer.capacity) {
      const capacity = layer ? layer.capacity * 2 : FIRST_LAYER_IDS;
      layer = { bits: new Uint32Array((capacity * BITS_PER_ID) >>> 5), capacity, used: 0 };
      this.#layers.push(layer);
    }
    const { bits } = layer;
    for (const bit of probes(messageId, bits.length * 32)) bits[bit >>> 5] = (bits[bit >>> 5] ?? 0) | (1 << (bit & 31));
    layer.used += 1;
  }

  has(messageId: Hex): boolean {
    return this.#layers.some(({ bits }) =>
      probes(messageId, bits.length * 32).every((bit) => ((bits[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0),
    );
  }
}

/** Double hashing over two parts of the id, which is a hash itself. */
function probes(messageId: Hex, bitCount: number): number[] {
  const first = Number.parseInt(messageId.slice(2, 14), 16);
  const step = Number.parseInt(messageId.slice(14, 26), 16) | 1;
  return Array.from({ length: PROBES }, (_, i) => (first + i * (step >>> 0)) % bitCount);
}
