/** Fails when a source file imports against the layering, or when two files import each other in a circle. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const SOURCE = resolve(import.meta.dirname, '../src');

/** Which layers a layer may import besides itself. `index` is `src/index.ts`, the library's public face. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  protocol: ['core'],
  chains: ['core', 'protocol'],
  verifiers: ['core', 'protocol'],
  config: ['core', 'protocol'],
  storage: ['core', 'protocol'],
  sink: ['core', 'protocol', 'storage'],
  indexer: ['core', 'protocol', 'storage', 'sink', 'chains', 'verifiers', 'config'],
  migration: ['core', 'protocol', 'storage', 'sink', 'config'],
  api: ['core', 'protocol', 'storage', 'sink', 'config'],
  devnet: ['core', 'protocol'],
  cli: [
    'core',
    'protocol',
    'storage',
    'sink',
    'chains',
    'verifiers',
    'config',
    'indexer',
    'migration',
    'api',
    'devnet',
  ],
  index: ['core', 'protocol', 'storage', 'sink'],
};

const layerOf = (file: string): string => {
  const [first = ''] = relative(SOURCE, file).split('/');
  return first === 'index.ts' ? 'index' : first;
};

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(SOURCE, name));
const problems: string[] = [];
const graph = new Map<string, string[]>();

for (const file of files) {
  const layer = layerOf(file);
  const allowed = MAY_IMPORT[layer];
  if (!allowed) problems.push(`${relative(SOURCE, file)}: layer '${layer}' is not in the layout`);
  const imports = [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)].map((match) =>
    resolve(dirname(file), (match[1] ?? '').replace(/\.js$/, '.ts')),
  );
  graph.set(file, imports);
  for (const target of imports) {
    const targetLayer = layerOf(target);
    if (targetLayer !== layer && !allowed?.includes(targetLayer))
      problems.push(
        `${relative(SOURCE, file)}: '${layer}' must not import '${targetLayer}' (${relative(SOURCE, target)})`,
      );
  }
}

const done = new Set<string>();
function visit(file: string, path: readonly string[]): void {
  if (path.includes(file)) {
    const circle = [...path.slice(path.indexOf(file)), file].map((name) => relative(SOURCE, name));
    problems.push(`circle: ${circle.join(' -> ')}`);
    return;
  }
  if (done.has(file)) return;
  for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
  done.add(file);
}
for (const file of files) visit(file, []);

for (const problem of problems) console.error(problem);
console.log(`${files.length} files, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
