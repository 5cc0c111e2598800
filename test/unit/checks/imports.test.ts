import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { importProblems } from '../../../scripts/checks/imports.js';
import type { Rooms } from '../../../scripts/checks/rooms.js';

const ROOMS: Rooms = {
  core: [],
  store: ['core'],
  'store/disk': ['core', 'store'],
  'store/wire': ['core', 'store'],
  app: ['core', 'store/**'],
};

let source: string;

beforeEach(async () => {
  source = await mkdtemp(join(tmpdir(), 'rooms-'));
});
afterEach(() => rm(source, { recursive: true }));

async function write(files: Readonly<Record<string, readonly string[]>>): Promise<void> {
  for (const [name, imports] of Object.entries(files)) {
    await mkdir(dirname(join(source, name)), { recursive: true });
    await writeFile(join(source, name), imports.map((path) => `import { a } from '${path}';\n`).join(''));
  }
}

const SOUND = {
  'core/clock.ts': [],
  'store/storage.ts': ['../core/clock.js'],
  'store/disk/deep/file.ts': ['../../storage.js', '../../../core/clock.js', 'node:fs'],
  'store/wire/client.ts': ['../storage.js'],
  'app/open.ts': ['../store/disk/deep/file.js', '../store/wire/client.js'],
};

it('passes a tree whose imports follow the rooms', async () => {
  await write(SOUND);
  expect(importProblems(source, ROOMS)).toEqual([]);
});

it.each([
  ['a room above', 'core/clock.ts', '../store/storage.js', "store/storage.ts, but 'core' knows no other room only"],
  ['an inner room of its own', 'store/storage.ts', './disk/deep/file.js', "store/disk/deep/file.ts, but 'store' knows"],
  [
    'a room beside it',
    'store/wire/client.ts',
    '../disk/deep/file.js',
    "store/disk/deep/file.ts, but 'store/wire' knows",
  ],
  ['the tests', 'app/open.ts', '../../test/support/records.js', '../test/support/records.ts, which is not in src'],
])('refuses a file that imports %s', async (_, file, path, said) => {
  await write({ ...SOUND, [file]: [path] });
  expect(importProblems(source, ROOMS)).toContainEqual(expect.stringContaining(`${file}: imports ${said}`));
});

it('finds imports of types, re-exports and imports at run time', async () => {
  await write(SOUND);
  await writeFile(
    join(source, 'core/clock.ts'),
    "import type { A } from '../app/a.js';\nexport * from '../app/b.js';\nawait import('../app/c.js');\nimport {\n  d,\n} from '../app/d.js';\n",
  );
  expect(importProblems(source, ROOMS)).toEqual(
    ['a', 'b', 'c', 'd'].map((name) => expect.stringContaining(`core/clock.ts: imports app/${name}.ts`)),
  );
});

it('refuses a circle of files within one room', async () => {
  await write({ 'core/a.ts': ['./b.js'], 'core/b.ts': ['./c.js'], 'core/c.ts': ['./a.js'] });
  expect(importProblems(source, ROOMS)).toEqual([
    expect.stringContaining('circle core/a.ts -> core/b.ts -> core/c.ts -> core/a.ts'),
  ]);
});

it('refuses a file that is in no room', async () => {
  await write({ 'utils/text.ts': [] });
  expect(importProblems(source, ROOMS)).toEqual([expect.stringContaining('utils/text.ts: is in no room')]);
});

it('lets a known exception pass, and refuses it once the import is gone', async () => {
  const exceptions = [{ from: 'core/clock.ts', to: 'store/storage.ts', reason: 'being moved' }];
  await write({ 'core/clock.ts': ['../store/storage.js'], 'store/storage.ts': [] });
  expect(importProblems(source, ROOMS, exceptions)).toEqual([]);
  await write({ 'core/clock.ts': [] });
  expect(importProblems(source, ROOMS, exceptions)).toEqual([
    expect.stringContaining('core/clock.ts: imports store/storage.ts no more: remove its exception'),
  ]);
});
