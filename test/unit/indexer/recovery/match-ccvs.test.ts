import { expect, it } from 'vitest';
import type { Hex } from '../../../../src/core/hex.js';
import { matchCCVs } from '../../../../src/indexer/recovery/match-ccvs.js';

const [A, B, C, D]: Hex[] = ['0xa1', '0xb1', '0xc1', '0xd1'] as Hex[];
const match = (
  sources: readonly Hex[],
  dests: readonly Hex[],
  known: Readonly<Record<Hex, readonly Hex[]>> = {},
  ofLane: readonly Hex[] = [],
) => [...matchCCVs({ sources, dests, known: (dest) => new Set(known[dest]), ofLane: new Set(ofLane) })];

it('a CCV is matched by a pair that is known, then by an equal address, then as the last one of the lane', () => {
  expect(match([A!, B!], [C!, D!], { [C!]: [A!], [D!]: [B!] })).toEqual([
    [C, A],
    [D, B],
  ]);
  expect(match([A!, B!], [B!, A!])).toEqual([
    [B, B],
    [A, A],
  ]);
  // what is known counts more than that two addresses are equal
  expect(match([A!, B!], [B!, C!], { [B!]: [A!] }, [C!])).toEqual([
    [B, A],
    [C, B],
  ]);
  expect(match([A!], [C!], {}, [C!])).toEqual([[C, A]]);
});

it('a CCV that a receiver chose is not matched because it is left, nor one of several, nor by two pairs', () => {
  expect(match([A!], [C!])).toEqual([]);
  expect(match([A!, B!], [C!], {}, [C!])).toEqual([]);
  expect(match([A!, B!], [C!, D!], {}, [C!, D!])).toEqual([]);
  expect(match([A!, B!], [C!], { [C!]: [A!, B!] }, [C!])).toEqual([]);
});
