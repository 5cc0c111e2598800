/**
 * Runs a TypeScript program of this checkout: `node scripts/bundled/run.mjs scripts/devnet/main.ts …`. It is bundled first, and again
 * once one of its files has changed: two thousand files that are loaded one by one take eight times the CPU time of a few.
 * Stack traces and `import.meta.url` are those of the source. In JavaScript, so that it starts at once.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

/** @returns the file to import, or null when none is made of the files as they are now, where they are now. */
function currentBundle(directory) {
  try {
    const { main, inputs } = JSON.parse(readFileSync(join(directory, 'current.json'), 'utf8'));
    const isCurrent = ([file, mtimeMs]) => statSync(join(ROOT, file), { throwIfNoEntry: false })?.mtimeMs === mtimeMs;
    return main.startsWith(directory) && Object.entries(inputs).every(isCurrent) ? main : null;
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

const program = resolve(ROOT, process.argv[2]);
const directory = join(ROOT, 'node_modules/.cache/bundles', relative(ROOT, program).replaceAll(/[/.]/g, '-'));
let main = currentBundle(directory);
if (main === null) {
  execFileSync(process.execPath, [join(import.meta.dirname, 'make.mjs'), program, directory], { stdio: 'inherit' });
  main = currentBundle(directory);
  if (main === null) throw new Error(`files of ${program} changed while they were bundled: start it again`);
}
process.argv.splice(1, 2, program);
process.setSourceMapsEnabled(true);
await import(main);
