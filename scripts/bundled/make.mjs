/** Bundles a program for `run.mjs`: `node make.mjs <program> <directory for its bundles>`. A process of its own: bundling leaves threads. */
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'vite';

const ROOT = resolve(import.meta.dirname, '../..');
/** Packages of many small modules that read no files beside them. Others are loaded as they are. */
const BUNDLED_PACKAGES = ['viem', 'ox', 'abitype', 'zod', 'hyparquet', 'hyparquet-writer', /^@noble\//, /^@scure\//];
const DAY_MS = 86_400_000;

const [program, directory] = process.argv.slice(2);
mkdirSync(directory, { recursive: true });
for (const name of readdirSync(directory)) {
  // a process that runs may still have to load parts of an older bundle
  if (Date.now() - statSync(join(directory, name)).mtimeMs > DAY_MS) rmSync(join(directory, name), { recursive: true });
}

const inputs = {};
const addInput = (file) => {
  inputs[relative(ROOT, file)] = statSync(file).mtimeMs;
};
addInput(join(ROOT, 'package-lock.json'));
addInput(join(import.meta.dirname, 'make.mjs'));

const sources = {
  name: 'sources',
  transform(code, id) {
    if (!id.startsWith(ROOT) || id.includes('/node_modules/')) return null;
    addInput(id);
    const place = { url: pathToFileURL(id).href, dirname: dirname(id) };
    return {
      code: code.replaceAll(/\bimport\.meta\.(url|dirname)\b/g, (_, key) => JSON.stringify(place[key])),
      map: null,
    };
  },
};

const made = mkdtempSync(join(directory, 'bundle-'));
await build({
  root: ROOT,
  configFile: false,
  logLevel: 'warn',
  plugins: [sources],
  ssr: { noExternal: BUNDLED_PACKAGES },
  build: {
    ssr: program,
    outDir: made,
    target: 'node20',
    sourcemap: true,
    // errors are named by their classes
    rollupOptions: { output: { keepNames: true, entryFileNames: 'main.mjs', chunkFileNames: '[name]-[hash].mjs' } },
  },
});
// at once: other processes may be making or reading it
writeFileSync(`${made}.json`, JSON.stringify({ main: join(made, 'main.mjs'), inputs }));
renameSync(`${made}.json`, join(directory, 'current.json'));
