import { afterAll, describe, expect, test } from 'vitest';
import { directoryBuckets, SEED, simulate } from './run.js';
import { Tally } from './tally.js';

const tally = new Tally();

describe('memory, Postgres and the cold tier answer as one flat list would', () => {
  afterAll(() => console.log(`seed ${SEED}: ${tally.report()}`));

  test('promise 7: in many short runs', async () => {
    await simulate({ name: 'three', shape: 'three', runs: 240, commands: 40, lanes: 4 }, tally);
  });

  test('in some long runs', async () => {
    await simulate({ name: 'long', shape: 'three', runs: 8, commands: 300, lanes: 4 }, tally);
  });

  test('with a directory for a bucket', async () => {
    await simulate(
      { name: 'directory', shape: 'three', runs: 24, commands: 40, lanes: 4, buckets: directoryBuckets },
      tally,
    );
  });

  test('and every kind of thing happened often enough to show it', () => {
    expect(tally.tooRare(STEPS, tally.runs / 10)).toEqual([]);
    expect(tally.tooRare(TIERS, tally.runs / 5)).toEqual([]);
    expect(tally.tooRare(RARE, 10)).toEqual([]);
  });
});

const STEPS = [
  ...['insert', 'late results', 'duplicate', 'conflict', 'status', 'finish', 'origin', 'orphan', 'return'],
  ...['move in time', 'ledger', 'at once', 'flush', 'failed flush', 'age', 'evict', 'prune', 'compact', 'vacuum'],
  ...[
    'pass time',
    'restart',
    'kill',
    'kill in flush',
    'break cold',
    'break warm',
    'heal',
    'ask message',
    'ask results',
    'ask transaction',
    'ask v2',
    'ask feed',
  ],
  ...['ask page', 'ask count', 'ask ledger', 'walk', 'follow', 'ask while'],
];
const TIERS = ['list from hot', 'list from warm', 'list from cold', 'list from mixed', 'pruned rounds', 'flushed'];
const RARE = [
  ...['walks of several pages', 'answers compared while broken', 'gap named (time)', 'gap named (messageId)'],
  ...['move failed', 'write refused', 'postgres recalls', 'compacted'],
];
