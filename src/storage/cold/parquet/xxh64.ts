/*
 * XXH64 with seed 0 (Cyan4973/xxHash, doc/xxhash_spec.md), which Parquet's bloom filters are made of. Every step is cut
 * to 64 bits at once: the engine then computes with machine words, four times as fast as with numbers of any length.
 */
const PRIME_1 = 0x9e3779b185ebca87n;
const PRIME_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME_3 = 0x165667b19e3779f9n;
const PRIME_4 = 0x85ebca77c2b2ae63n;
const PRIME_5 = 0x27d4eb2f165667c5n;
const STRIPE_BYTES = 32;

/** The hash of `bytes`. */
export function xxh64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stripesEnd = bytes.length - (bytes.length % STRIPE_BYTES);
  let hash = stripesEnd > 0 ? hashOfStripes(view, stripesEnd) : PRIME_5;
  hash = cut(hash + BigInt(bytes.length));
  let at = stripesEnd;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = cut(hash ^ round(0n, view.getBigUint64(at, true)));
    hash = cut(cut(rotated(hash, 27n) * PRIME_1) + PRIME_4);
  }
  if (at + 4 <= bytes.length) {
    hash = cut(hash ^ cut(BigInt(view.getUint32(at, true)) * PRIME_1));
    hash = cut(cut(rotated(hash, 23n) * PRIME_2) + PRIME_3);
    at += 4;
  }
  for (; at < bytes.length; at += 1) {
    hash = cut(hash ^ cut(BigInt(view.getUint8(at)) * PRIME_5));
    hash = cut(rotated(hash, 11n) * PRIME_1);
  }
  hash = cut(cut(hash ^ (hash >> 33n)) * PRIME_2);
  hash = cut(cut(hash ^ (hash >> 29n)) * PRIME_3);
  return cut(hash ^ (hash >> 32n));
}

function hashOfStripes(view: DataView, end: number): bigint {
  let [one, two, three, four] = [cut(PRIME_1 + PRIME_2), PRIME_2, 0n, cut(-PRIME_1)];
  for (let at = 0; at < end; at += STRIPE_BYTES) {
    one = round(one, view.getBigUint64(at, true));
    two = round(two, view.getBigUint64(at + 8, true));
    three = round(three, view.getBigUint64(at + 16, true));
    four = round(four, view.getBigUint64(at + 24, true));
  }
  const hash = cut(cut(rotated(one, 1n) + rotated(two, 7n)) + cut(rotated(three, 12n) + rotated(four, 18n)));
  return merged(merged(merged(merged(hash, one), two), three), four);
}

function round(sum: bigint, word: bigint): bigint {
  return cut(rotated(cut(sum + cut(word * PRIME_2)), 31n) * PRIME_1);
}

function merged(hash: bigint, lane: bigint): bigint {
  return cut(cut(cut(hash ^ round(0n, lane)) * PRIME_1) + PRIME_4);
}

function rotated(word: bigint, bits: bigint): bigint {
  return cut(cut(word << bits) | (word >> (64n - bits)));
}

function cut(number: bigint): bigint {
  return BigInt.asUintN(64, number);
}
