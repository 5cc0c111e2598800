/**
 * `npm run bench`: the distance of the product from the limits of this machine. Every figure stands beside a ceiling
 * that is measured in the same run, in turn with it, or is shown at several sizes. Postgres and anvil come from their
 * packages; rows of a real S3 server are left out where Ceph is not installed.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join, resolve as resolvePath } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { isWithin } from './benches/read-costs.js';
import { BENCHES } from './benches.js';
import { compileBenches } from './compile.js';
import { isWithinCost } from './cost.js';
import { isMet } from './measure.js';
import { profileEnvironment } from './profile.js';
import { FILTERS_NOTE, formatFilters, formatGrowth, formatReads, GROWTH_NOTE, READS_NOTE } from './read-table.js';
import { type BenchOptions, joinReports, type Report } from './report.js';
import { makeScratch } from './scratch.js';
import { COSTS_NOTE, formatCosts, formatTable } from './table.js';
import { parseSizes, QUICK_SIZES, SIZES } from './workload/sizes.js';

interface MainOptions {
  readonly only?: readonly string[];
  readonly sizes?: readonly number[];
  readonly quick?: boolean;
  readonly json?: boolean;
  readonly profile?: string;
}

const names = Object.keys(BENCHES);
const command = new Command('bench')
  .description('measure the product against ceilings of this machine, measured in the same run')
  .addOption(new Option('--only <name...>', 'some of the benchmarks').choices(names))
  .option('--quick', 'less work and one round each: shows that it runs, the figures are rough')
  .option('--sizes <counts>', `records of a tier where growth is measured (default: ${SIZES.join(',')})`, sizesOption)
  .option('--json', 'print JSON instead of tables')
  .option('--profile <directory>', 'write a CPU profile of each operation that has a cost, and print its functions');

const { only, sizes, quick = false, json = false, profile } = command.parse().opts<MainOptions>();
const options: BenchOptions = { quick, sizes: sizes ?? (quick ? QUICK_SIZES : SIZES) };
let running: ChildProcess | null = null;
let isInterrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    isInterrupted = true;
    process.exitCode = 130;
    running?.kill('SIGINT');
  });

if (profile !== undefined) await mkdir(profile, { recursive: true });
const profiles = profileEnvironment(profile === undefined ? null : resolvePath(profile));
const compiled = await compileBenches();
const scratch = await makeScratch();
const report = joinReports(await runAll(only ?? names));
await scratch.remove();
await compiled.remove();
if (json) console.log(JSON.stringify({ machine: machineFacts(), ...withVerdicts(report) }, null, 2));
else print(report);

async function runAll(wanted: readonly string[]): Promise<readonly Report[]> {
  const reports: Report[] = [];
  for (const name of wanted) {
    if (isInterrupted) break;
    const startMs = performance.now();
    if (process.stderr.isTTY) process.stderr.write(`${name} …`);
    try {
      reports.push(await runInChild(name));
    } catch (thrown) {
      // the others are worth having all the same
      console.error(thrown);
      process.exitCode ??= 1;
    }
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(0);
    const clear = process.stderr.isTTY ? '\r\x1b[2K' : '';
    process.stderr.write(`${clear}${name} … ${seconds} s, load ${loadavg()[0]!.toFixed(1)}\n`);
  }
  return reports;
}

function runInChild(name: string): Promise<Report> {
  return new Promise((resolve, reject) => {
    const child = fork(join(compiled.directory, 'run-bench.js'), [name, JSON.stringify(options)], {
      // a million records of the hot tier lie in the heap
      execArgv: ['--expose-gc', '--enable-source-maps', '--max-old-space-size=8192'],
      env: { ...process.env, ...scratch.environment, ...profiles },
      // output of a library must not get into the JSON
      stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
    });
    running = child;
    let found: Report | null = null;
    child.once('message', (message) => {
      found = message as Report;
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (found !== null && code === 0) resolve(found);
      else reject(new Error(`benchmark ${name} ended with ${signal ?? code}`));
    });
  });
}

function print({ rows, costs, reads, growth, filters, remarks }: Required<Report>): void {
  const { node, cores, cpu } = machineFacts();
  const load = loadavg().map((each) => each.toFixed(1));
  console.log(`\nnode ${node}, ${cores} cores (${cpu}), load ${load.join(' ')}`);
  if (rows.length > 0) console.log(`\n${formatTable(rows)}`);
  if (costs.length > 0) console.log(`\n${formatCosts(costs)}`);
  if (reads.length > 0) console.log(`\n${formatReads(reads)}`);
  if (growth.length > 0) console.log(`\n${formatGrowth(growth)}`);
  if (filters.length > 0) console.log(`\n${formatFilters(filters)}`);
  if (rows.length > 0) console.log(`\n${rows.map(({ what, note }) => `${what}: ${note}`).join('\n')}`);
  if (costs.length > 0) console.log(`\n${COSTS_NOTE}\n${costs.map(({ what, note }) => `${what}: ${note}`).join('\n')}`);
  if (reads.length > 0) console.log(`\n${READS_NOTE}`);
  if (growth.length > 0) console.log(`\n${GROWTH_NOTE}`);
  if (filters.length > 0) console.log(`\n${FILTERS_NOTE}`);
  if (remarks.length > 0) console.log(`\n${remarks.join('\n')}`);
}

function machineFacts() {
  const all = cpus();
  return { node: process.version, cores: all.length, cpu: all[0]?.model.trim() ?? 'unknown', load: loadavg() };
}

function withVerdicts({ rows, costs, reads, ...rest }: Required<Report>) {
  return {
    rows: rows.map((row) => ({ ...row, met: isMet(row) })),
    costs: costs.map((cost) => ({ ...cost, met: isWithinCost(cost) })),
    reads: reads.map((read) => ({ ...read, met: isWithin(read) })),
    ...rest,
  };
}

function sizesOption(text: string): readonly number[] {
  const parsed = parseSizes(text);
  if (typeof parsed === 'string') throw new InvalidArgumentError(parsed);
  return parsed;
}
