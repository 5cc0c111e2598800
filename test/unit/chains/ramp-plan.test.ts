import { expect, it } from 'vitest';
import { planRamps } from '../../../src/chains/watch/ramp-plan.js';
import type { Hex } from '../../../src/core/hex.js';

const HASH: Hex = `0x${'aa'.repeat(32)}`;
const OTHER_HASH: Hex = `0x${'bb'.repeat(32)}`;
const ramp = (address: Hex, startBlock: number) => ({ address, startBlock });
const at = (height: bigint, hash = HASH) => ({ height, hash });
const [A, B, C] = [ramp('0x0a', 10), ramp('0x0b', 500), ramp('0x0c', 90)];

it('reads all together from the lowest start block when nothing is stored', () => {
  expect(planRamps([A, B].map((each) => ({ ramp: each, cursor: null })))).toEqual({
    together: { ramps: [A, B], cursor: null },
    behind: [],
    gapBlocks: 0,
  });
});

it('reads those together whose cursors are equal, and lets the others catch up, however far', () => {
  const stored = [
    { ramp: A, cursor: at(100n) },
    { ramp: B, cursor: at(700n) },
    { ramp: C, cursor: at(700n) },
  ];
  expect(planRamps(stored)).toEqual({
    together: { ramps: [B, C], cursor: at(700n) },
    behind: [{ ramps: [A], cursor: at(100n) }],
    gapBlocks: 600,
  });
});

it('counts what an OnRamp without a cursor has to catch up from its start block, nothing when that is above the others', () => {
  expect(planRamps([A, C].map((each) => ({ ramp: each, cursor: each === A ? at(100n) : null }))).gapBlocks).toBe(11);
  expect(planRamps([A, B].map((each) => ({ ramp: each, cursor: each === A ? at(100n) : null }))).gapBlocks).toBe(0);
});

it('does not take OnRamps at one height for equal when their blocks differ', () => {
  const { together, behind } = planRamps([
    { ramp: A, cursor: at(100n) },
    { ramp: B, cursor: at(100n, OTHER_HASH) },
  ]);
  expect([together.ramps, behind.length]).toEqual([[A], 1]);
});
