/** A source of uniform numbers in [0, 1). Pass a seeded one to replay a run. */
export type Random = () => number;

/** The process's own randomness. Not for secrets. */
export const systemRandom: Random = () => Math.random();

/** A small seeded generator (mulberry32, public domain by Tommy Ettinger): the same seed gives the same run. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
