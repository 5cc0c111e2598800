import { createHash } from 'node:crypto';

/** Whether a lane, by its name, is one of a member's. */
export type LaneShare = (lane: string) => boolean;

/**
 * A lane's number: the first 8 bytes of the md5 of its name, unsigned and big-endian. The name is `source-dest` in
 * decimal digits. The idea is Message DB's (`hash_64`), and any language can tell it: that of `0-0` is
 * c7763203e20a64b2.
 */
export function laneHash(lane: string): bigint {
  return createHash('md5').update(lane).digest().readBigUInt64BE(0);
}

/** The lanes of member `member` (from 0) of a group of `size`: each lane has one member. */
export function createLaneShare(member: number, size: number): LaneShare {
  const known = new Map<string, boolean>();
  return (lane) => {
    let isOurs = known.get(lane);
    if (isOurs === undefined) {
      isOurs = laneHash(lane) % BigInt(size) === BigInt(member);
      known.set(lane, isOurs);
    }
    return isOurs;
  };
}
