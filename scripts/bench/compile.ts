import { execFile } from 'node:child_process';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const PROJECT = resolve(import.meta.dirname, '../..');
/** Inside `node_modules`, so that packages are found from there. */
const COMPILED = join(PROJECT, 'node_modules/.cache/ccv-indexer-bench');

/**
 * Compiles the benchmarks with all that they use as the product is compiled: what loads TypeScript directly also wraps every
 * function that is made at run time, which the product would pay for and the ceilings would not.
 * @returns the directory of the compiled benchmarks.
 */
export async function compileBenches(): Promise<string> {
  await rm(COMPILED, { recursive: true, force: true });
  const compiler = join(createRequire(import.meta.url).resolve('typescript/package.json'), '../bin/tsc');
  try {
    await promisify(execFile)(process.execPath, [compiler, '-p', join(import.meta.dirname, 'tsconfig.json')]);
  } catch (thrown) {
    throw new Error(`the benchmarks do not compile:\n${(thrown as { readonly stdout?: string }).stdout ?? ''}`, {
      cause: thrown,
    });
  }
  await mkdir(COMPILED, { recursive: true });
  await writeFile(join(COMPILED, 'package.json'), '{ "type": "module" }\n');
  await symlink(join(PROJECT, 'migrations'), join(COMPILED, 'migrations'), 'dir');
  return join(COMPILED, 'scripts/bench');
}
