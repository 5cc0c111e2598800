import { api } from './api.js';
import { backfill } from './backfill.js';
import { cold } from './cold.js';
import { growthCold } from './growth-cold.js';
import { growthHot } from './growth-hot.js';
import { growthWarm } from './growth-warm.js';
import { memory } from './memory.js';
import { pruning } from './pruning.js';
import type { Bench } from './report.js';
import { sinkWrites } from './sink-writes.js';

/** All benchmarks in the order of the tables. */
export const BENCHES = {
  writes: sinkWrites,
  api,
  backfill,
  memory,
  pruning,
  cold,
  'growth-hot': growthHot,
  'growth-warm': growthWarm,
  'growth-cold': growthCold,
} as const satisfies Readonly<Record<string, Bench>>;

/** What `--only` takes. */
export type BenchName = keyof typeof BENCHES;
