import { expect, it } from 'vitest';
import type { Growth } from '../../../scripts/bench/benches/growth.js';
import { isWithin, middleAndWorst, type ReadCost } from '../../../scripts/bench/benches/read-costs.js';
import { progressLine } from '../../../scripts/bench/progress.js';
import { formatGrowth, formatReads } from '../../../scripts/bench/read-table.js';
import { joinReports } from '../../../scripts/bench/report.js';
import { milliseconds } from '../../../scripts/bench/table.js';
import { sizeOf } from '../../../scripts/bench/workload/cold-namespace.js';
import { parseSizes } from '../../../scripts/bench/workload/sizes.js';
import { dataFilePath, indexFilePath } from '../../../src/storage/cold/delta/paths.js';

const READ: ReadCost = {
  ...{ store: 'directory', records: 10_000, question: 'by id', asked: 26 },
  requests: { median: 2, worst: 3 },
  bytes: { median: 90_000, worst: 262_144 },
  ms: { median: 1.62, worst: 107.4 },
  aim: { requests: 3, bytes: 262_144 },
};

const GROWTH: Growth = {
  ...{ tier: 'hot', records: 1_000_000, bytesPerRecord: 3_080.4 },
  byId: { ms: 0.0028, perSecond: 326_077.2 },
  page: { ms: 0.0751, perSecond: 98_389 },
  ...{ countMs: 0.002, middleMs: 0.08, indexBytesPerRecord: null },
};

it('judges the worst read, not the middle one', () => {
  expect(isWithin(READ)).toBe(true);
  expect(isWithin({ ...READ, requests: { median: 1, worst: 4 } })).toBe(false);
  expect(isWithin({ ...READ, bytes: { median: 1, worst: 262_145 } })).toBe(false);
  expect(isWithin({ ...READ, bytes: { median: 1, worst: 1e9 }, aim: { requests: 3, bytes: null } })).toBe(true);
  expect(isWithin({ ...READ, aim: null })).toBeNull();
});

it('sums up by median and worst', () => {
  expect(middleAndWorst([5, 1, 3])).toEqual({ median: 3, worst: 5 });
});

it('prints median and worst of each read, and what was aimed at', () => {
  const [head, rule, line, absent] = formatReads([
    READ,
    { ...READ, question: 'absent id', aim: { requests: 1, bytes: null } },
  ]).split('\n');
  expect(head).toMatch(/^cold read +store +records +asked +requests +KiB +ms +aim +met$/);
  expect(rule).toMatch(/^[- ]+$/);
  expect(line).toBe('by id      directory   10,000     26     2 / 3  88 / 256  1.62 / 107  ≤ 3, 256 KiB  yes');
  expect(absent).toBe('absent id  directory   10,000     26     2 / 3  88 / 256  1.62 / 107  ≤ 1            NO');
});

it('leaves reads of smaller sizes out unless they miss their aim', () => {
  const small = { ...READ, records: 1_000 };
  const lines = formatReads([small, { ...small, requests: { median: 1, worst: 9 } }, READ])
    .split('\n')
    .slice(2);
  expect(lines.map((line) => [/[\d,]+/.exec(line)?.[0], /\w+$/.exec(line)?.[0]])).toEqual([
    ['1,000', 'NO'],
    ['10,000', 'yes'],
  ]);
});

it('prints a line for each tier and size', () => {
  const [head, , line] = formatGrowth([GROWTH]).split('\n');
  const speeds = 'by id, ms +by id, \\/s +page, ms +page, \\/s +count, ms +page at n\\/2, ms';
  expect(head).toMatch(new RegExp(`^tier +records +bytes\\/record +of it indexes +${speeds}$`));
  const figures = ['0.0028', '326,077', '0.075', '98,389', '0.0020', '0.080'];
  expect(line?.split(/ +/)).toEqual(['hot', '1,000,000', '3,080', ...figures]);
});

it('gives milliseconds the digits that say something', () => {
  expect([0.00284, 0.0992, 0.5, 2.345, 24.79, 106.6].map(milliseconds)).toEqual([
    '0.0028',
    '0.099',
    '0.500',
    '2.35',
    '24.8',
    '107',
  ]);
});

it('tells data, indexes and logs of all tables apart', () => {
  const object = (key: string, sizeBytes: number) => ({ key, sizeBytes, modifiedMs: 0 });
  const objects = [
    object(`n/messages/${dataFilePath('2026-01-01', 'a')}`, 1),
    object(`n/verifier_results/${dataFilePath('2026-01-01', 'a')}`, 10),
    object(`n/verifier_results/${indexFilePath('2026-01-01', 'a')}`, 100),
    object('n/ledger/_delta_log/00000000000000000000.json', 1_000),
    object('n/ledger/_delta_log/00000000000000000100.checkpoint.parquet', 10_000),
  ];
  expect(sizeOf(objects)).toEqual({
    dataFiles: 2,
    dataBytes: 11,
    indexBytes: 100,
    logBytes: 11_000,
    totalBytes: 11_111,
  });
});

it('takes sizes with commas between them, and says what to write instead of others', () => {
  expect(parseSizes('10000,100000')).toEqual([10_000, 100_000]);
  for (const wrong of ['', 'many', '10000,', '0', '1500', '-1000', '1e99'])
    expect(parseSizes(wrong)).toMatch(/^Write /);
});

it('says how far a step is and how long it will take', () => {
  expect(progressLine('hot', 250_000, 1_000_000, 10_000)).toBe('hot: 250,000 of 1,000,000, 25,000/s, 30 s left');
  expect(progressLine('hot', 0, 10, 0)).toBe('hot: 0 of 10');
});

it('joins reports in order and says once what several missed', () => {
  const joined = joinReports([{ growth: [GROWTH], remarks: ['no S3'] }, { reads: [READ], remarks: ['no S3'] }, {}]);
  expect(joined).toEqual({ rows: [], costs: [], reads: [READ], growth: [GROWTH], filters: [], remarks: ['no S3'] });
});
