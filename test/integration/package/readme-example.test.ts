import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../../..');

let directory: string | undefined;
let database: TestDatabase | undefined;
afterEach(async () => {
  if (directory) await rm(directory, { recursive: true, force: true });
  await database?.drop();
});

/** The comment behind each `console.log` of the example: what the README says it prints. */
function promisedOutput(example: string): string[] {
  return [...example.matchAll(/console\.log\(.*\/\/ (.*)$/gm)].map((match) => match[1] ?? '');
}

it('the library example of the README compiles against the published declarations and prints what it says', async () => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  expect(promisedOutput(example).length).toBeGreaterThan(3);
  database = await createTestDatabase({ migrated: false });
  // inside the package, so that its own name resolves to what package.json exports
  directory = await mkdtemp(join(ROOT, 'test/.readme-'));
  await writeFile(join(directory, 'example.mts'), example);
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.json')], { cwd: ROOT });
  const config = {
    extends: '../../tsconfig.json',
    compilerOptions: { rootDir: '.', outDir: 'out' },
    include: ['example.mts'],
  };
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(config));
  await run(process.execPath, [tsc, '-p', join(directory, 'tsconfig.json')], { cwd: directory });
  const { stdout } = await run(process.execPath, [join(directory, 'out/example.mjs')], {
    env: { ...process.env, DATABASE_URL: database.uri, COLD_DIRECTORY: join(directory, 'cold') },
  });
  expect(stdout.trim().split('\n')).toEqual(promisedOutput(example));
}, 120_000);
