/** Bytes of a slab: a record that outlives its neighbours keeps so much in memory. */
const SLAB_BYTES = 16 * 1024;
/** Larger byte strings have a buffer of their own. */
const MAX_SHARED_BYTES = SLAB_BYTES / 8;
const EMPTY = new Uint8Array(0);

/**
 * Copies of byte strings, many in one buffer, in the order in which they come: records are evicted in about that order,
 * and a slab goes with the last of its strings. Two buffers a record would cost 300 bytes more, and each its part of a
 * garbage collection.
 */
export class ByteSlabs {
  #slab = new ArrayBuffer(0);
  #used = 0;

  /** A copy that shares no memory with `bytes`. */
  copy(bytes: Uint8Array): Uint8Array {
    if (bytes.length === 0) return EMPTY;
    if (bytes.length > MAX_SHARED_BYTES) return Uint8Array.from(bytes);
    if (this.#used + bytes.length > this.#slab.byteLength) {
      this.#slab = new ArrayBuffer(SLAB_BYTES);
      this.#used = 0;
    }
    const copy = new Uint8Array(this.#slab, this.#used, bytes.length);
    copy.set(bytes);
    this.#used += bytes.length;
    return copy;
  }
}
