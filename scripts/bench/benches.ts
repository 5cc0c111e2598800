import { api } from './benches/api.js';
import { backfill } from './benches/backfill.js';
import { cold } from './benches/cold.js';
import { coldCosts } from './benches/cold-costs.js';
import { coldStreams } from './benches/cold-streams.js';
import { filters } from './benches/filters.js';
import { growthCold } from './benches/growth-cold.js';
import { growthHot } from './benches/growth-hot.js';
import { growthWarm } from './benches/growth-warm.js';
import { memory } from './benches/memory.js';
import { pruning } from './benches/pruning.js';
import { signatures } from './benches/signatures.js';
import { sinkWrites } from './benches/sink-writes.js';
import { start } from './benches/start.js';
import { visible } from './benches/visible.js';
import type { Bench } from './report.js';

/** All benchmarks in the order of the tables. */
export const BENCHES = {
  writes: sinkWrites,
  api,
  backfill,
  visible,
  memory,
  start,
  signatures,
  pruning,
  cold,
  'cold-costs': coldCosts,
  'cold-streams': coldStreams,
  'growth-hot': growthHot,
  'growth-warm': growthWarm,
  'growth-cold': growthCold,
  filters,
} as const satisfies Readonly<Record<string, Bench>>;

/** Names that `--only` takes. */
export type BenchName = keyof typeof BENCHES;
