import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debianProgram } from '../../support/debian-program.js';
import { runCli } from '../../support/e2e/cli.js';
import { e2eDirectory } from '../../support/e2e/service.js';

const directory = e2eDirectory();
afterAll(() => directory.remove());
writeFileSync(join(directory.path, 'my indexer.toml'), '');

/** The words that a shell offers for the last one of a line. */
type Complete = (...line: readonly string[]) => Promise<readonly string[]>;

async function scriptFor(shell: string): Promise<string> {
  const { code, stdout } = await runCli(['completion', shell]);
  expect(code).toBe(0);
  const file = join(directory.path, `completion.${shell}`);
  writeFileSync(file, stdout);
  return file;
}

async function linesOf(program: string, args: readonly string[], env = process.env): Promise<readonly string[]> {
  const { stdout, stderr } = await promisify(execFile)(program, args, { cwd: directory.path, env });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

/** As bash calls a function of `complete -F`. */
async function bash(): Promise<Complete> {
  const file = await scriptFor('bash');
  const ask = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ccv_indexer; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return async (...line) => await linesOf('bash', ['-c', ask, file, 'ccv-indexer', ...line]);
}

async function fish(): Promise<Complete> {
  const file = await scriptFor('fish');
  const program = await debianProgram('fish', '/usr/bin/fish');
  // where the package was unpacked, its libraries lie beside it
  const libraries = join(dirname(dirname(program)), 'lib');
  const found = [`${libraries}/x86_64-linux-gnu`, `${libraries}/aarch64-linux-gnu`].join(':');
  const env = { ...process.env, HOME: directory.path, LD_LIBRARY_PATH: found };
  return async (...line) => {
    const text = ['ccv-indexer', ...line].join(' ');
    const offers = await linesOf(program, ['--no-config', '-c', `source ${file}; complete -C '${text}'`], env);
    return offers.map((offer) => offer.split('\t')[0] ?? '');
  };
}

describe.each([
  ['bash', bash],
  ['fish', fish],
] as const)('%s', (_, start) => {
  let complete: Complete;
  beforeAll(async () => {
    complete = await start();
  });

  it('completes commands, and those below them', async () => {
    expect(await complete('st')).toEqual(expect.arrayContaining(['start', 'status', 'storage']));
    expect(await complete('storage', 're')).toEqual(['restore']);
    expect(await complete('config', '')).toEqual(expect.arrayContaining(['init', 'check']));
  });

  it('completes options of the command, which may follow others', async () => {
    expect(await complete('storage', 'restore', '-c', 'indexer.toml', '--fo')).toEqual(['--force']);
    expect(await complete('storage', 'status', '--fo')).toEqual([]);
  });

  it('completes files where an option wants one', async () => {
    const [offer, ...others] = await complete('worker', '--secrets', 'my');
    expect([offer?.replace('\\', ''), ...others]).toEqual(['my indexer.toml']);
  });

  it('completes the words that an option or an argument may be, and nothing where any may be', async () => {
    expect((await complete('namespace', 'drop', 'old', '--only', '')).toSorted()).toEqual(['cold', 'database']);
    expect((await complete('completion', '')).toSorted()).toEqual(['bash', 'fish', 'zsh']);
    expect(await complete('storage', 'restore', '--from', '')).toEqual([]);
  });
});

it('bash completes values behind =, and each of a list with commas', async () => {
  const complete = await bash();
  expect(await complete('doctor', '--only', '=', 'cold')).toEqual(['cold-files']);
  expect(await complete('doctor', '--only', 'schema,tie')).toEqual(['schema,tiers']);
});

it('zsh runs the script of bash', async () => {
  const [zsh, plain] = await Promise.all(['zsh', 'bash'].map((shell) => runCli(['completion', shell])));
  expect(zsh?.stdout).toMatch(/^autoload .*bashcompinit\n/);
  expect(zsh?.stdout.endsWith(plain!.stdout)).toBe(true);
});

it('a shell without a script is refused with those that have one', async () => {
  const { code, stderr } = await runCli(['completion', 'tcsh']);
  expect(code).toBe(1);
  expect(stderr).toContain('Allowed choices are bash, zsh, fish');
});
