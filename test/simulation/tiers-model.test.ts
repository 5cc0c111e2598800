import { afterAll, expect, test } from 'vitest';
import { simulate } from './run.js';
import { Tally } from './tally.js';

const tally = new Tally();
const seed = Number(process.env['MODEL_SEED'] ?? 20_251_120);
const runs = Number(process.env['MODEL_RUNS'] ?? 300);

const cpu = process.cpuUsage();
afterAll(() => console.log('took', process.cpuUsage(cpu), `seed ${seed}\n${tally.report()}`));

test('three', { timeout: 3_600_000 }, async () => {
  await simulate(
    {
      name: 'three',
      shape: (process.env['MODEL_SHAPE'] ?? 'three') as 'three',
      runs,
      commands: 40,
      lanes: Number(process.env['MODEL_LANES'] ?? 4),
      seed,
    },
    tally,
  );
  expect(tally.runs).toBeGreaterThan(0);
});
