/** 64 bits of a message id, as two unsigned halves. */
export interface IdHash {
  readonly high: number;
  readonly low: number;
}

/**
 * The hash of the index format, version 1, of an id or a term: over the character codes of its text (cyrb53 by bryc,
 * public domain, with both of its 32-bit states kept whole). Not cryptographic: two ids of one hash cost a read,
 * never an answer.
 */
export function hashId(id: string): IdHash {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < id.length; index++) {
    const code = id.charCodeAt(index);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return { high: high >>> 0, low: low >>> 0 };
}

/** Orders hashes as unsigned 64-bit numbers: below, at or above 0. */
export function compareHashes(a: IdHash, b: IdHash): number {
  return a.high - b.high || a.low - b.low;
}
