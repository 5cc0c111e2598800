/** Runs one benchmark in a process of its own, so that none meets the garbage or the optimized code of another. */
import { BENCHES, type BenchName } from './benches.js';
import type { Row } from './measure.js';

const [name, quick] = process.argv.slice(2);
const rows: readonly Row[] = await BENCHES[name as BenchName]({ quick: quick === 'quick' });
process.send?.(rows, () => process.disconnect());
