/** Bundles a program for `run.mjs`: `node make.mjs <program> <directory for its bundles>`. A process of its own: bundling leaves threads. */
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'vite';

const ROOT = resolve(import.meta.dirname, '../..');
/** Packages that look for modules while they run. All others are in the bundle. */
const LOADED_IN_PLACE = ['@bokuweb/zstd-wasm', '@grpc/proto-loader', 'pino', 'pino-pretty'];
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

/** A file keeps its place: what it reads beside it is still there. */
const places = {
  name: 'places',
  transform(code, id) {
    const file = id.split('?')[0];
    if (!file.startsWith(ROOT)) return null;
    if (!file.includes('/node_modules/')) addInput(file);
    const place = {
      'import.meta.url': pathToFileURL(file).href,
      'import.meta.dirname': dirname(file),
      ...{ __dirname: dirname(file), __filename: file },
    };
    const placed = code.replaceAll(/\b(import\.meta\.(url|dirname)|__dirname|__filename)\b/g, (word) =>
      JSON.stringify(place[word]),
    );
    return placed === code ? null : { code: placed, map: null };
  },
};

const made = mkdtempSync(join(directory, 'bundle-'));
await build({
  root: ROOT,
  configFile: false,
  logLevel: 'warn',
  plugins: [places],
  ssr: { noExternal: true, external: LOADED_IN_PLACE },
  build: {
    ssr: program,
    outDir: made,
    target: 'node20',
    sourcemap: true,
    // errors are named by their classes
    rollupOptions: {
      output: {
        keepNames: true,
        sourcemapExcludeSources: true,
        entryFileNames: 'main.mjs',
        chunkFileNames: '[name]-[hash].mjs',
      },
    },
  },
});
// at once: other processes may be making or reading it
writeFileSync(`${made}.json`, JSON.stringify({ main: join(made, 'main.mjs'), inputs }));
renameSync(`${made}.json`, join(directory, 'current.json'));
