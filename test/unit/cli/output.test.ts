import { describe, expect, it } from 'vitest';
import { formatBytes, formatCount, formatDuration, formatMs } from '../../../src/cli/amounts.js';
import { createProgressView } from '../../../src/cli/storage/progress.js';
import { textTable } from '../../../src/cli/text-table.js';
import { createManualClock } from '../../support/manual-clock.js';

describe('amounts for people', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 KiB'],
    [1_536, '1.5 KiB'],
    [16 * 1024 * 1024, '16 MiB'],
    [5.25 * 1024 ** 3, '5.3 GiB'],
    [1_020 * 1024, '1.0 MiB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it('keeps thousands apart', () => {
    expect([0, 999, 1_000, 1_234_567, 2n ** 63n].map(formatCount)).toEqual([
      '0',
      '999',
      '1 000',
      '1 234 567',
      '9 223 372 036 854 775 808',
    ]);
  });

  it.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [4_230, '4.2 s'],
    [59_949, '59.9 s'],
    [59_950, '1 min 0 s'],
    [200_000, '3 min 20 s'],
    [7_500_000, '2 h 5 min'],
  ])('%d ms are %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it('shows no time as a dash', () => {
    expect([-1, Number.POSITIVE_INFINITY, 0].map(formatMs)).toEqual(['-', '-', '1970-01-01T00:00:00.000Z']);
  });
});

it('a table is as wide as what is in it', () => {
  expect(
    textTable(
      [
        ['a', 'rows'],
        ['messages', '1 000'],
        ['x', ''],
      ],
      ' ',
    ),
  ).toEqual([' a          rows', ' messages  1 000', ' x']);
});

describe('progress where there is no terminal', () => {
  function view() {
    const lines: string[] = [];
    const clock = createManualClock();
    const stream = { isTTY: false, write: (text: string) => lines.push(text) } as unknown as NodeJS.WriteStream;
    return { lines, clock, view: createProgressView(clock, stream) };
  }

  it('is a line now and then, and one for the end of each step', async () => {
    const { lines, clock, view: progress } = view();
    const show = (step: string, done: number) => progress.show({ step, done, total: 10, unit: 'files' });
    show('read', 1);
    await clock.advance(4_000);
    show('read', 2);
    await clock.advance(1_000);
    show('read', 3);
    show('read', 10);
    show('write', 1);
    progress.close();
    progress.close();
    expect(lines).toEqual(['read: 3 of 10 files\n', 'read: 10 of 10 files\n', 'write: 1 of 10 files\n']);
  });

  it('shows bytes as such, and what has no known end by itself', () => {
    const { lines, view: progress } = view();
    progress.show({ step: 'a', done: 2_048, total: 16_777_216, unit: 'bytes' });
    progress.show({ step: 'b', done: 1_500, total: null, unit: 'rows' });
    progress.close();
    expect(lines).toEqual(['a: 2.0 KiB of 16 MiB\n', 'b: 1 500 rows\n']);
  });
});
