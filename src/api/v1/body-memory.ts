/**
 * Memory for large bodies, used again once a body has been sent. Fresh memory of half a megabyte costs ten times what
 * filling it does, for every page of it is mapped and cleared first (measured: 250 µs against 20 µs).
 */
export interface BodyMemory {
  /** Memory of exactly this size; what is in it is left from before. */
  take(sizeBytes: number): Buffer;
  /**
   * Gives memory back that nobody reads any more: for an answer, after its `finish`, when all of it is with the operating
   * system. Anything that was not taken here, or was given back already, is ignored.
   */
  giveBack(body: Buffer): void;
}

/** Smaller bodies come from memory that is mapped already. */
const MIN_BYTES = 64 * 1024;

/** Keeps at most `maxIdleBytes` of unused memory; what is above it goes to the garbage collector. */
export function createBodyMemory({ maxIdleBytes }: { readonly maxIdleBytes: number }): BodyMemory {
  /** Unused slabs by size, which is a power of two. */
  const idle = new Map<number, Buffer[]>();
  let idleBytes = 0;
  const lent = new WeakMap<ArrayBufferLike, Buffer>();

  return {
    take(sizeBytes) {
      if (sizeBytes < MIN_BYTES) return Buffer.allocUnsafe(sizeBytes);
      const slabBytes = 2 ** Math.ceil(Math.log2(sizeBytes));
      const kept = idle.get(slabBytes)?.pop();
      if (kept) idleBytes -= slabBytes;
      const slab = kept ?? Buffer.allocUnsafeSlow(slabBytes);
      lent.set(slab.buffer, slab);
      return slab.subarray(0, sizeBytes);
    },
    giveBack(body) {
      const slab = lent.get(body.buffer);
      if (!slab) return;
      lent.delete(body.buffer);
      if (idleBytes + slab.length > maxIdleBytes) return;
      idleBytes += slab.length;
      const sameSize = idle.get(slab.length);
      if (sameSize) sameSize.push(slab);
      else idle.set(slab.length, [slab]);
    },
  };
}
