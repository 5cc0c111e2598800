import { api } from './api.js';
import { backfill } from './backfill.js';
import type { Bench } from './measure.js';
import { memory } from './memory.js';
import { sinkWrites } from './sink-writes.js';

/** All benchmarks in the order of the table. */
export const BENCHES = {
  writes: sinkWrites,
  api,
  backfill,
  memory,
} as const satisfies Readonly<Record<string, Bench>>;

/** What `--only` takes. */
export type BenchName = keyof typeof BENCHES;
