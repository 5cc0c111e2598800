import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Encoding } from '../http/compression.js';
import { digestOf } from '../http/entity-tag.js';

/** A file of the page in memory, with its encoded forms. */
export interface PageFile {
  readonly type: string;
  readonly tag: string;
  readonly bytes: Buffer;
  readonly encoded: ReadonlyMap<Encoding, Buffer>;
}

/** The page as it was built. */
export interface PageFiles {
  readonly document: PageFile;
  /** By name; a name has the digest of its file in it. */
  readonly assets: ReadonlyMap<string, PageFile>;
}

/** Where the build puts it: as far from this source as from its built form. */
const BUILT = fileURLToPath(new URL('../../../dist/explorer/', import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const SUFFIXES: readonly (readonly [Encoding, string])[] = [
  ['br', '.br'],
  ['gzip', '.gz'],
];

/** Reads the built page; null where it was not built. */
export function readPageFiles(directory = BUILT): PageFiles | null {
  const documentFile = readPageFile(directory, 'index.html');
  if (documentFile === null) return null;
  const assets = join(directory, 'assets');
  const names = readdirSync(assets).filter((name) => extname(name) in TYPES);
  return {
    document: documentFile,
    assets: new Map(
      names.flatMap((name) => {
        const file = readPageFile(assets, name);
        return file === null ? [] : [[name, file] as const];
      }),
    ),
  };
}

function readPageFile(directory: string, name: string): PageFile | null {
  const bytes = readIfThere(join(directory, name));
  if (bytes === null) return null;
  const encoded = SUFFIXES.flatMap(([encoding, suffix]) => {
    const smaller = readIfThere(join(directory, name + suffix));
    return smaller === null ? [] : [[encoding, smaller] as const];
  });
  return {
    type: TYPES[extname(name)] ?? 'application/octet-stream',
    tag: `"${digestOf(bytes)}"`,
    bytes,
    encoded: new Map(encoded),
  };
}

function readIfThere(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw thrown;
  }
}
