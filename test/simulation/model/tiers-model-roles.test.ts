import { afterAll, describe, expect, test } from 'vitest';
import { SEED, simulate } from './run.js';
import { Tally } from './tally.js';

const [two, sole] = [new Tally(), new Tally()];

describe('a process that only reads, beside one that writes and prunes', () => {
  afterAll(() => console.log(`seed ${SEED}, two processes: ${two.report()}`));

  test('answers as the flat list does or did since its last answer', async () => {
    await simulate({ name: 'two', shape: 'two', runs: 270, commands: 40, lanes: 4 }, two);
  });

  test('and was behind, and ahead, often enough to show it', () => {
    expect(two.tooRare(['hear', 'restart reader', 'list from cold', 'list from mixed'], 24)).toEqual([]);
    expect(two.tooRare(['answers of an older state', 'pruned rounds', 'walks of several pages'], 15)).toEqual([]);
  });
});

describe('a memory over a cold tier without a database', () => {
  afterAll(() => console.log(`seed ${SEED}, no database: ${sole.report()}`));

  test('answers as one flat list would', async () => {
    await simulate({ name: 'leader', shape: 'leader', runs: 330, commands: 40, lanes: 2 }, sole);
  });

  test('and lost its bucket often enough to show it', () => {
    expect(sole.tooRare(['list from cold', 'list from mixed', 'list from hot'], sole.runs / 10)).toEqual([]);
    expect(sole.tooRare(['write refused', 'compacted'], 10)).toEqual([]);
    expect(sole.tooRare(['write refused but done'], 2)).toEqual([]);
  });
});
