import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { NAMED_SCHEMAS } from '../../../src/api/v1/answer-schemas.js';
import { GO_KEYS } from '../../../src/config/go-indexer/known-keys.js';
import { deadLinks, type Page, ROOT, readPages } from '../../support/pages.js';

const pages = readPages();
const page = (path: string): Page => pages.find((each) => each.path === path)!;

describe('a page', () => {
  it.each(pages.map((each) => [each.path, each] as const))('%s links to files and headings that exist', (_, each) => {
    expect(deadLinks(each)).toEqual([]);
  });

  it('that is the first one fits its purpose: less than 10 kB', () => {
    expect(page('README.md').text.length).toBeLessThan(10_000);
  });
});

describe('config/README.md', () => {
  const manual = page('config/README.md').text;

  it('names every key of the example', () => {
    const example = readFileSync(join(ROOT, 'config/example.toml'), 'utf8');
    const keys = [...example.matchAll(/^(?:# )?([A-Z]\w+) = /gm)].map(([, key]) => key);
    expect(keys.length).toBeGreaterThan(80);
    expect([...new Set(keys)].filter((key) => !manual.includes(`\`${key}\``))).toEqual([]);
  });

  it('names the keys of the Go indexer that have no meaning here, and no others', () => {
    const [, section = ''] = /^These keys have no meaning here\.(.*?)^Stricter/ms.exec(manual) ?? [];
    const cells = [...section.matchAll(/^\| (`.*?`) \|/gm)].map(([, cell = '']) => cell);
    const named = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, key = '']) => key));
    expect(named.sort()).toEqual(GO_KEYS.flatMap(({ is, path }) => (is === 'none' ? [path] : [])).sort());
  });

  it('names only metrics and error codes that the code has', () => {
    const code = execFileSync('grep', ['-rhoE', "'[A-Z]+(_[A-Z]+)+'|'indexer_\\w+'", 'src'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    const known = new Set(code.split('\n').map((quoted) => quoted.slice(1, -1)));
    const named = [...manual.matchAll(/`(indexer_[a-z_]+|[A-Z]+(?:_[A-Z]+)+)`/g)].map(([, name = '']) => name);
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter((name) => !known.has(name) && !VARIABLES.has(name))).toEqual([]);
  });
});

describe('src/api/README.md', () => {
  it('names every field of the answers', () => {
    const fields = Object.values(NAMED_SCHEMAS).flatMap((schema) => Object.keys((schema as z.ZodObject).shape));
    expect(fields.length).toBeGreaterThan(50);
    expect(fields.filter((field) => !new RegExp(`\\b${field}\\b`).test(page('src/api/README.md').text))).toEqual([]);
  });
});

const VARIABLES = new Set([
  ...['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY', 'NODE_EXTRA_CA_CERTS'],
  ...['INDEXER_CONFIG_PATH', 'INDEXER_SECRETS_PATH', 'CCV_INDEXER_CONFIG', 'CCV_INDEXER_SECRETS'],
  'OTEL_RESOURCE_ATTRIBUTES',
]);

describe('the promises in src/README.md', () => {
  const { path, text } = page('src/README.md');
  const rows = [...text.matchAll(/^\| (\d+) \|.*$/gm)].map(([row, number]) => ({ number: Number(number), row }));

  it('are eleven', () => {
    expect(rows.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it.each(rows.map((each) => [each.number, each.row] as const))('promise %i names tests that exist', (number, row) => {
    const tests = [...row.matchAll(/\[[^\]]*\]\(([^)]*test\/[^)]+\.ts)\): `([^`]+)`/g)];
    expect(tests.length).toBeGreaterThan(1);
    const missing = tests.filter(([, file = '', name = '']) => {
      const code = readFileSync(join(ROOT, dirname(path), file), 'utf8').replaceAll("\\'", "'");
      return !code.includes(`'${name}'`) || !name.startsWith(`promise ${number}: `);
    });
    expect(missing.map(([all]) => all)).toEqual([]);
  });
});
