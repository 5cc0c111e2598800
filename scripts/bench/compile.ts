import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const PROJECT = resolve(import.meta.dirname, '../..');
/** Inside `node_modules`, so that packages are found from there. */
const CACHE = join(PROJECT, 'node_modules/.cache');

/** Compiled benchmarks. */
export interface CompiledBenches {
  /** Where the modules of this directory are. */
  readonly directory: string;
  remove(): Promise<void>;
}

/**
 * Compiles the benchmarks, and the code that they use, as the product is compiled. A loader of TypeScript wraps every
 * function that is made at run time, which the product would pay for and the ceilings would not.
 */
export async function compileBenches(): Promise<CompiledBenches> {
  await mkdir(CACHE, { recursive: true });
  // of its own: two runs must not meet
  const root = await mkdtemp(join(CACHE, 'ccv-indexer-bench-'));
  const remove = () => rm(root, { recursive: true, force: true });
  const compiler = join(createRequire(import.meta.url).resolve('typescript/package.json'), '../bin/tsc');
  const project = join(import.meta.dirname, 'tsconfig.json');
  try {
    await promisify(execFile)(process.execPath, [compiler, '-p', project, '--outDir', root]);
  } catch (thrown) {
    await remove();
    throw new Error(`the benchmarks do not compile:\n${(thrown as { readonly stdout?: string }).stdout ?? ''}`, {
      cause: thrown,
    });
  }
  await writeFile(join(root, 'package.json'), '{ "type": "module" }\n');
  for (const used of ['migrations', '.ci']) await symlink(join(PROJECT, used), join(root, used), 'dir');
  return { directory: join(root, 'scripts/bench'), remove };
}
