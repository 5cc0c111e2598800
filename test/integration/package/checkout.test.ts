import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');
const run = promisify(execFile);

/** A checkout whose programs say where they are from. */
let checkout: string;

beforeEach(async () => {
  checkout = await mkdtemp(join(tmpdir(), 'checkout-'));
  await cp(join(ROOT, 'scripts/ccv-indexer.mjs'), join(checkout, 'scripts/ccv-indexer.mjs'), { recursive: true });
  await mkdir(join(checkout, 'node_modules'));
  for (const name of ['tsx', 'vite'])
    await symlink(join(ROOT, 'node_modules', name), join(checkout, 'node_modules', name));
  await write('package.json', '{ "type": "module", "scripts": { "ccv-indexer": "node scripts/ccv-indexer.mjs" } }');
  await write('src/cli/main.ts', "console.log('source', process.argv.slice(2).join(' '), process.cwd());");
  await write('dist/cli/main.js', "console.log('built', process.argv.slice(2).join(' '), process.cwd());");
});
afterEach(() => rm(checkout, { recursive: true }));

async function write(name: string, text: string): Promise<void> {
  await mkdir(dirname(join(checkout, name)), { recursive: true });
  await writeFile(join(checkout, name), text);
}

/** The program was built as long before its source. */
async function buildBefore(seconds: number): Promise<void> {
  const builtMs = Date.now() - seconds * 1_000;
  await utimes(join(checkout, 'dist/cli/main.js'), builtMs / 1_000, builtMs / 1_000);
}

async function printed(cwd = checkout): Promise<string> {
  const { stdout } = await run('npm', ['run', '--silent', 'ccv-indexer', '--', '--help', 'x'], { cwd });
  return stdout.trim();
}

describe('npm run ccv-indexer', () => {
  it('runs the built program while it is newer than its source', async () => {
    await buildBefore(-60);
    expect(await printed()).toBe(`built --help x ${checkout}`);
  });

  it('runs the source once it is newer, and once one of its files is gone', async () => {
    await buildBefore(60);
    expect(await printed()).toBe(`source --help x ${checkout}`);
    await rm(join(checkout, 'dist'), { recursive: true });
    expect(await printed()).toBe(`source --help x ${checkout}`);
  });

  it('takes paths relative to the directory of the user', async () => {
    await buildBefore(-60);
    expect(await printed(join(checkout, 'src'))).toBe(`built --help x ${join(checkout, 'src')}`);
  });
});

describe('a program that is run as a bundle', () => {
  const program = 'scripts/program.ts';
  const bundled = async () => {
    const { stdout } = await run('node', ['scripts/bundled/run.mjs', program, 'a', 'b'], { cwd: checkout });
    return stdout.trim();
  };

  it('is that of its files, also after one of them has changed, and has their places and its own words', async () => {
    await cp(join(ROOT, 'scripts/bundled'), join(checkout, 'scripts/bundled'), { recursive: true });
    await write('package-lock.json', '{}');
    await write('scripts/said.ts', "export const said: string = 'first';");
    await write(
      program,
      "import { said } from './said.js';\nconsole.log(said, import.meta.dirname, import.meta.url, process.argv.slice(1).join(' '));",
    );
    const file = join(checkout, program);
    const places = `${dirname(file)} file://${file} ${file} a b`;
    expect(await bundled()).toBe(`first ${places}`);
    expect(await bundled()).toBe(`first ${places}`);
    await write('scripts/said.ts', "export const said: string = 'second';");
    expect(await bundled()).toBe(`second ${places}`);
  });

  it('tells the line of its source where it failed', async () => {
    await cp(join(ROOT, 'scripts/bundled'), join(checkout, 'scripts/bundled'), { recursive: true });
    await write('package-lock.json', '{}');
    await write(program, "interface Nothing {}\n\nthrow new Error('here');\nexport type { Nothing };");
    await expect(bundled()).rejects.toThrow(/scripts\/program\.ts:3/);
  });
});
