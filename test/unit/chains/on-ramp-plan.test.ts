import { expect, it } from 'vitest';
import { planOnRamps } from '../../../src/chains/watch/on-ramp-plan.js';
import type { Hex } from '../../../src/core/hex.js';

const HASH: Hex = `0x${'aa'.repeat(32)}`;
const OTHER_HASH: Hex = `0x${'bb'.repeat(32)}`;
const onRamp = (address: Hex, startBlock: number) => ({ address, startBlock });
const at = (height: bigint, hash = HASH) => ({ height, hash });
const [A, B, C] = [onRamp('0x0a', 10), onRamp('0x0b', 500), onRamp('0x0c', 90)];

it('reads all together from the lowest start block when nothing is stored', () => {
  expect(planOnRamps([A, B].map((each) => ({ onRamp: each, cursor: null })))).toEqual({
    together: { onRamps: [A, B], cursor: null },
    behind: [],
    gapBlocks: 0,
  });
});

it('reads those together whose cursors are equal, and lets the others catch up, however far', () => {
  const stored = [
    { onRamp: A, cursor: at(100n) },
    { onRamp: B, cursor: at(700n) },
    { onRamp: C, cursor: at(700n) },
  ];
  expect(planOnRamps(stored)).toEqual({
    together: { onRamps: [B, C], cursor: at(700n) },
    behind: [{ onRamps: [A], cursor: at(100n) }],
    gapBlocks: 600,
  });
});

it('counts what an OnRamp without a cursor has to catch up from its start block, nothing when that is above the others', () => {
  expect(planOnRamps([A, C].map((each) => ({ onRamp: each, cursor: each === A ? at(100n) : null }))).gapBlocks).toBe(
    11,
  );
  expect(planOnRamps([A, B].map((each) => ({ onRamp: each, cursor: each === A ? at(100n) : null }))).gapBlocks).toBe(0);
});

it('does not take OnRamps at one height for equal when their blocks differ', () => {
  const { together, behind } = planOnRamps([
    { onRamp: A, cursor: at(100n) },
    { onRamp: B, cursor: at(100n, OTHER_HASH) },
  ]);
  expect([together.onRamps, behind.length]).toEqual([[A], 1]);
});
