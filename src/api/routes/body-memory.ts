/**
 * Memory for large bodies, used again once a body was sent. Half a megabyte of fresh memory costs 250 µs, because each
 * page of it is mapped and cleared first; filling it costs 20 µs.
 */
export interface BodyMemory {
  /** Memory of exactly this size, with bytes of an earlier body in it. */
  take(sizeBytes: number): Buffer;
  /** False for memory that there is no use in giving back. */
  isLent(body: Buffer): boolean;
  /**
   * Takes back memory that has no reader any more: of an answer after its `finish`, when the operating system has all
   * bytes. Memory from elsewhere, or given back already, is ignored.
   */
  giveBack(body: Buffer): void;
}

/** Smaller bodies come from memory that is mapped already. */
const MIN_BYTES = 64 * 1024;

/** Keeps at most `maxIdleBytes` of unused memory; more goes to the garbage collector. */
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
    isLent: (body) => body.length >= MIN_BYTES && lent.has(body.buffer),
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
