import type { Growth } from './benches/growth.js';
import type { ReadCost } from './benches/read-costs.js';
import type { Row } from './measure.js';

/** What every benchmark is told. */
export interface BenchOptions {
  /** Less work and fewer rounds: shows that it runs, its figures are rough. */
  readonly quick: boolean;
  /** How many records a tier holds, one after the other, where growth is measured. */
  readonly sizes: readonly number[];
}

/** What a benchmark found, by the table it belongs to. */
export interface Report {
  readonly rows?: readonly Row[];
  readonly reads?: readonly ReadCost[];
  readonly growth?: readonly Growth[];
  /** What could not be measured here, why, and how it can. */
  readonly remarks?: readonly string[];
}

/** Measures one subject. */
export type Bench = (options: BenchOptions) => Promise<Report>;

/** All reports as one, in their order. */
export function joinReports(reports: readonly Report[]): Required<Report> {
  return {
    rows: reports.flatMap(({ rows }) => rows ?? []),
    reads: reports.flatMap(({ reads }) => reads ?? []),
    growth: reports.flatMap(({ growth }) => growth ?? []),
    // two benchmarks may miss the same thing
    remarks: [...new Set(reports.flatMap(({ remarks }) => remarks ?? []))],
  };
}
