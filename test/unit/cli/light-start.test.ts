import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../../support/pages.js';

/** What a file loads at once: neither types nor imports within functions. */
function importsOf(file: string): string[] {
  const statements = readFileSync(file, 'utf8').matchAll(
    /^import (?!type )[^;]*?from '([^']+)';|^export [^;]*? from '([^']+)';/gm,
  );
  return [...statements].map(([, from, again]) => from ?? again ?? '');
}

function packagesBehind(file: string, seen = new Set<string>(), packages = new Set<string>()): Set<string> {
  if (seen.has(file)) return packages;
  seen.add(file);
  for (const from of importsOf(file)) {
    if (from.startsWith('.')) packagesBehind(resolve(file, '..', from.replace(/\.js$/, '.ts')), seen, packages);
    else if (!from.startsWith('node:')) packages.add(from);
  }
  return packages;
}

it('--version and --help load the words of the command line, and no client, schema or server', () => {
  expect([...packagesBehind(join(ROOT, 'src/cli/main.ts'))]).toEqual(['commander']);
});

it('a command that runs a service loads them', () => {
  expect([...packagesBehind(join(ROOT, 'src/cli/run-role.ts'))]).toEqual(
    expect.arrayContaining(['fastify', 'pg', 'zod']),
  );
});
