/**
 * `npm run bench`: how near the product comes to what this machine can do. Every figure is held against a ceiling that is
 * measured in the same run, in turn with it. Needs no setup: Postgres and anvil come from their packages.
 */
import { fork } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { BENCHES } from './benches.js';
import { compileBenches } from './compile.js';
import type { Row } from './measure.js';
import { isMet } from './measure.js';
import { formatTable } from './table.js';

interface MainOptions {
  readonly only?: readonly string[];
  readonly quick?: boolean;
  readonly json?: boolean;
}

const names = Object.keys(BENCHES);
const command = new Command('bench')
  .description('measure the product against ceilings of this machine, measured in the same run')
  .addOption(new Option('--only <name...>', 'some of the benchmarks').choices(names))
  .option('--quick', 'less work and one round each: shows that it runs, the figures are rough')
  .option('--json', 'print JSON instead of a table');

const options = command.parse().opts<MainOptions>();
const compiled = await compileBenches();
const rows: Row[] = [];
for (const name of options.only ?? names) {
  const startMs = performance.now();
  process.stderr.write(`${name} … `);
  try {
    rows.push(...(await runInChild(name, options.quick === true)));
  } catch (thrown) {
    // the others are worth having all the same
    console.error(thrown);
    process.exitCode = 1;
  }
  process.stderr.write(`${((performance.now() - startMs) / 1_000).toFixed(0)} s, load ${loadavg()[0]!.toFixed(1)}\n`);
}
await compiled.remove();
if (options.json) console.log(JSON.stringify({ machine: machineFacts(), rows: rows.map(withVerdict) }, null, 2));
else print();

function runInChild(name: string, quick: boolean): Promise<readonly Row[]> {
  return new Promise((resolve, reject) => {
    const child = fork(join(compiled.directory, 'run-bench.js'), [name, quick ? 'quick' : 'full'], {
      execArgv: ['--expose-gc', '--enable-source-maps'],
      // what a library prints must not get into the JSON
      stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
    });
    let rows: readonly Row[] | null = null;
    child.once('message', (message) => {
      rows = message as readonly Row[];
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (rows !== null && code === 0) resolve(rows);
      else reject(new Error(`benchmark ${name} ended with ${signal ?? code}`));
    });
  });
}

function print(): void {
  const { node, cores, cpu } = machineFacts();
  console.log(
    `\nnode ${node}, ${cores} cores (${cpu}), load ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}\n`,
  );
  console.log(formatTable(rows));
  console.log(`\n${rows.map(({ what, note }) => `${what}: ${note}`).join('\n')}`);
}

function machineFacts() {
  const all = cpus();
  return { node: process.version, cores: all.length, cpu: all[0]?.model.trim() ?? 'unknown', load: loadavg() };
}

function withVerdict(row: Row) {
  return { ...row, met: isMet(row) };
}
