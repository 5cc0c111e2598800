/** Runs one benchmark in a process of its own, so that none meets the garbage or the optimized code of another. */
import { BENCHES, type BenchName } from './benches.js';
import type { BenchOptions, Report } from './report.js';

const [name, options] = process.argv.slice(2);
const report: Report = await BENCHES[name as BenchName](JSON.parse(options ?? '') as BenchOptions);
process.send?.(report, () => process.disconnect());
