import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type SizeLimits, sizeProblems } from '../../../scripts/checks/sizes.js';

const LIMITS: SizeLimits = {
  columns: 20,
  lines: 3,
  filesInFolder: 2,
  narrow: ['src'],
  wideLines: 0,
  generated: [],
  longFiles: {},
};

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sizes-'));
});
afterEach(() => rm(root, { recursive: true }));

async function write(name: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, name)), { recursive: true });
  await writeFile(join(root, name), text);
}

it('passes what keeps within the limits, and lines of tests of any width', async () => {
  await write('src/a.ts', `${'é'.repeat(20)}\n\n\n`);
  await write('test/a.test.ts', 'x'.repeat(99));
  expect(sizeProblems(root, ['src', 'test'], LIMITS)).toEqual([]);
});

it('refuses a line that is too wide, a file that is too long and a folder that is too full', async () => {
  await write('src/wide.ts', `\n${'x'.repeat(21)}\n`);
  await write('src/room/long.ts', 'a\nb\nc\nd\n');
  for (const name of ['a', 'b', 'c']) await write(`src/full/${name}.sql`, '');
  expect(sizeProblems(root, ['src'], LIMITS)).toEqual([
    expect.stringContaining('src/room/long.ts: has 4 lines of at most 3'),
    expect.stringContaining('src/full: holds 3 files of at most 2'),
    expect.stringContaining('src/wide.ts:2: is 21 columns wide of at most 20'),
  ]);
});

it('lets a file that a program writes be as long as it gets', async () => {
  await write('src/a.ts', 'a\n'.repeat(50));
  expect(sizeProblems(root, ['src'], { ...LIMITS, generated: ['src/a.ts'] })).toEqual([]);
});

it('lets an exception shrink, not grow, and refuses it once it is not needed', async () => {
  const limits = { ...LIMITS, longFiles: { 'src/a.ts': 5 } };
  await write('src/a.ts', 'a\n'.repeat(5));
  expect(sizeProblems(root, ['src'], limits)).toEqual([]);
  await write('src/a.ts', 'a\n'.repeat(6));
  expect(sizeProblems(root, ['src'], limits)).toEqual([expect.stringContaining('has 6 lines of at most 5')]);
  await write('src/a.ts', 'a\n'.repeat(3));
  expect(sizeProblems(root, ['src'], limits)).toEqual([expect.stringContaining('is not too long any more')]);
});
