import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { debianProgram } from '../../support/debian-program.js';
import { ROOT } from '../../support/pages.js';

const run = promisify(execFile);
/** Of ten: systemd calls up to two safe. */
const MOST_EXPOSURE = 2;

let directory: string;
let analyze: string;
beforeAll(async () => {
  analyze = await debianProgram('systemd', '/usr/bin/systemd-analyze');
  directory = await mkdtemp(join(tmpdir(), 'ccv-units-'));
  for (const [unit, file] of [
    ['ccv-indexer@', 'ccv-indexer@worker'],
    ['ccv-indexer-migrate', 'ccv-indexer-migrate'],
  ]) {
    const text = await readFile(join(ROOT, `config/deploy/systemd/${unit}.service`), 'utf8');
    // the program that the units start is not installed here
    await writeFile(join(directory, `${file}.service`), text.replaceAll('/usr/bin/ccv-indexer', process.execPath));
  }
});
afterAll(() => rm(directory, { recursive: true, force: true }));

it.each(['ccv-indexer@worker', 'ccv-indexer-migrate'])(
  '%s is a unit that systemd takes, and exposes little',
  async (unit) => {
    const { stdout, stderr } = await run(analyze, ['verify', '--man=no', `./${unit}.service`], { cwd: directory });
    expect(stdout + stderr).toBe('');
    const rating = await run(analyze, ['security', '--offline=true', `./${unit}.service`], { cwd: directory });
    const [, exposure] = /Overall exposure level for .*: ([\d.]+)/.exec(rating.stdout) ?? [];
    expect(Number(exposure)).toBeLessThanOrEqual(MOST_EXPOSURE);
  },
);

it('the units start commands that the program has, with its options', async () => {
  for (const [words, options] of [
    [
      ['worker', '--help'],
      ['-c,', '-s,'],
    ],
    [
      ['api', '--help'],
      ['-c,', '-s,'],
    ],
    [
      ['start', '--help'],
      ['-c,', '-s,'],
    ],
    [
      ['migrate', 'up', '--help'],
      ['-c,', '-s,'],
    ],
  ] as const) {
    const { stdout } = await run(process.execPath, [join(ROOT, 'scripts/ccv-indexer.mjs'), ...words]);
    for (const option of options) expect(stdout).toContain(option);
  }
});
