import { expect, it } from 'vitest';
import { createTurns } from '../../../src/core/turns.js';
import { gate } from '../../support/api/api.js';

it('so many run at a time, the others in order, also after one that failed', async () => {
  const turns = createTurns(2);
  const gates = Array.from({ length: 5 }, gate);
  const begun: number[] = [];
  const ended = gates.map((held, index) =>
    turns.run(async () => {
      begun.push(index);
      await held.opened;
      if (index === 1) throw new Error('failed');
      return index;
    }),
  );
  const outcomes = Promise.allSettled(ended);
  expect(begun).toEqual([0, 1]);
  gates[1]!.open();
  await ended[1]!.catch(() => undefined);
  expect(begun).toEqual([0, 1, 2]);
  for (const held of gates) held.open();
  expect((await outcomes).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    ...Array(3).fill('fulfilled'),
  ]);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
});
