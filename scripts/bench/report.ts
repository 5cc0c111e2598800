import type { FilterCost } from './benches/filters.js';
import type { Growth } from './benches/growth.js';
import type { ReadCost } from './benches/read-costs.js';
import type { Cost } from './cost.js';
import type { Row } from './measure.js';

/** Options of every benchmark. */
export interface BenchOptions {
  /** Less work and fewer rounds: shows that it runs, its figures are rough. */
  readonly quick: boolean;
  /** How many records a tier holds, one after the other, where growth is measured. */
  readonly sizes: readonly number[];
}

/** Results of a benchmark, by table. */
export interface Report {
  readonly rows?: readonly Row[];
  readonly costs?: readonly Cost[];
  readonly reads?: readonly ReadCost[];
  readonly growth?: readonly Growth[];
  readonly filters?: readonly FilterCost[];
  /** Figures that could not be measured here, the reason, and the way to measure them. */
  readonly remarks?: readonly string[];
}

/** Measures one subject. */
export type Bench = (options: BenchOptions) => Promise<Report>;

/** All reports as one, in their order. */
export function joinReports(reports: readonly Report[]): Required<Report> {
  return {
    rows: reports.flatMap(({ rows }) => rows ?? []),
    costs: reports.flatMap(({ costs }) => costs ?? []),
    reads: reports.flatMap(({ reads }) => reads ?? []),
    growth: reports.flatMap(({ growth }) => growth ?? []),
    filters: reports.flatMap(({ filters }) => filters ?? []),
    // two benchmarks may miss the same thing
    remarks: [...new Set(reports.flatMap(({ remarks }) => remarks ?? []))],
  };
}
