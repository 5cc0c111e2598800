import { describe, expect, test } from 'vitest';
import { type PlanOptions, planCompaction } from '../../../../src/storage/cold/maintenance/compaction-plan.js';
import type { DataFile } from '../../../../src/storage/cold/namespace/data-file.js';
import { stampOf } from '../../../../src/storage/cold/namespace/output-files.js';
import type { TableView } from '../../../../src/storage/cold/namespace/view.js';

const MIB = 1 << 20;
const DAY_MS = 86_400_000;
const OPTIONS: PlanOptions = { compactBytes: 128 * MIB, full: false, without: new Set(), nowMs: 9 * DAY_MS };

let made = 0;
/** A file of a flush in one minute of a day; what a plan does not look at is left out. */
function file(minute: number, sizeBytes: number, like: Partial<DataFile> & { day?: number } = {}): DataFile {
  made += 1;
  const day = like.day ?? 0;
  const minMs = day * DAY_MS + minute * 60_000;
  return {
    uri: `file-${made}`,
    path: `file-${made}`,
    sizeBytes,
    rows: 1000,
    minMs,
    maxMs: minMs + 59_999,
    minPosition: BigInt(minMs),
    maxPosition: BigInt(minMs + 59_999),
    writtenMs: minMs,
    flushThrough: BigInt(minMs + 59_999),
    boundaryMs: minMs + 59_999,
    boundaries: [],
    stats: statsOf('processing', 'timeout'),
    add: { partitionValues: { day: `1970-01-0${day + 1}` } },
    ...like,
  } as DataFile;
}

function statsOf(min: string, max: string) {
  return { numRecords: 1000, minValues: { status: min }, maxValues: { status: max }, nullCount: {} };
}

function tableOf(files: readonly DataFile[], table: TableView['table'] = 'messages'): TableView {
  return { table, files };
}

const planned = (files: readonly DataFile[], options: Partial<PlanOptions> = {}, table?: TableView['table']) =>
  planCompaction(tableOf(files, table), { ...OPTIONS, ...options }).map((group) => urisOf(group.files));
const urisOf = (files: readonly DataFile[]) => files.map(({ uri }) => uri);

describe('the plan of a compaction', () => {
  test('merges eight neighbours of a day, not seven', () => {
    const files = Array.from({ length: 8 }, (_, minute) => file(minute, 2 * MIB));
    expect(planned(files.slice(1))).toEqual([]);
    expect(planned(files)).toEqual([urisOf(files)]);
  });

  test('leaves settled files alone, and does not merge across them', () => {
    const small = [0, 1, 2, 3, 5, 6, 7, 8].map((minute) => file(minute, 2 * MIB));
    expect(planned([...small, file(4, 64 * MIB)])).toEqual([]);
  });

  test('does not write a large file again for a few small ones', () => {
    const small = Array.from({ length: 8 }, (_, minute) => file(minute + 1, MIB));
    const large = file(0, 40 * MIB);
    expect(planned([large, ...small])).toEqual([urisOf(small)]);
  });

  test('merges what is left of a day that is over, once', () => {
    const over = [file(1, 3 * MIB), file(2, 40 * MIB)];
    const open = file(1, MIB, { day: 1 });
    expect(planned([...over, open])).toEqual([urisOf(over)]);
    expect(planned([file(1, 3 * MIB), open])).toEqual([]);
  });

  test('leaves messages alone that may yet change: unfinished ones, until a day after their day has ended', () => {
    const files = Array.from({ length: 9 }, (_, minute) => file(minute, 2 * MIB));
    const done = files.map((each, place) => (place === 0 ? each : { ...each, stats: statsOf('success', 'success') }));
    for (const nowMs of [0, 2 * DAY_MS - 1]) {
      expect(planned(files, { nowMs })).toEqual([]);
      expect(planned(done, { nowMs })).toEqual([urisOf(done).slice(1)]);
      expect(planned(files, { nowMs }, 'verifier_results')).toEqual([urisOf(files)]);
      expect(planned(files, { nowMs, full: true })).toEqual([urisOf(files)]);
    }
    expect(planned(files, { nowMs: 2 * DAY_MS })).toEqual([urisOf(files)]);
  });

  test('writes a row into ever larger files: at most eight times over a day of flushes, one a minute', () => {
    const writes = new Map<string, number>();
    let files: DataFile[] = [];
    let most = 0;
    let rewritten = 0;
    let flushed = 0;
    for (let minute = 0; minute < 1440; minute += 1) {
      const flush = file(minute, 2 * MIB);
      writes.set(flush.uri, 1);
      files.push(flush);
      flushed += flush.sizeBytes;
      for (const { files: base } of planCompaction(tableOf(files), OPTIONS)) {
        const merged = new Set(urisOf(base));
        const sizeBytes = base.reduce((sum, each) => sum + each.sizeBytes, 0);
        const count = Math.ceil(sizeBytes / OPTIONS.compactBytes);
        const depth = 1 + Math.max(...base.map(({ uri }) => writes.get(uri)!));
        const outputs = Array.from({ length: count }, (_, part) =>
          file(base[0]!.minMs / 60_000 + part * 0.001, sizeBytes / count),
        );
        for (const { uri } of outputs) writes.set(uri, depth);
        files = [...files.filter(({ uri }) => !merged.has(uri)), ...outputs];
        rewritten += sizeBytes;
        most = Math.max(most, depth);
      }
    }
    expect(most).toBeLessThanOrEqual(8);
    expect(rewritten / flushed).toBeLessThan(5);
    expect(files.length).toBeLessThan(60);
  });

  test('splits what is too much for one commit', () => {
    const files = Array.from({ length: 40 }, (_, minute) => file(minute, 60 * MIB));
    const groups = planned(files);
    expect(groups.map((base) => base.length)).toEqual([8, 8, 8, 8, 8]);
    expect(groups.flat()).toEqual(urisOf(files));
  });
});

describe('what compacted files say of the flushes in them', () => {
  test('is where those ended, thinned evenly when they are many, and always the last', () => {
    const few = Array.from({ length: 10 }, (_, minute) => file(minute, 1));
    const stamp = stampOf(few, 5);
    expect(stamp).toMatchObject({ flushThrough: few.at(-1)!.flushThrough, boundaryMs: few.at(-1)!.boundaryMs });
    expect(stamp.boundaries).toEqual(
      few.slice(0, 9).map(({ flushThrough, boundaryMs }) => ({ position: flushThrough, ms: boundaryMs })),
    );
    const many = Array.from({ length: 500 }, (_, minute) => file(minute, 1));
    const thinned = stampOf(many, 5).boundaries!;
    expect(thinned.length).toBeGreaterThan(24);
    expect(thinned.length).toBeLessThanOrEqual(48);
    expect(thinned.at(-1)).toEqual({ position: many.at(-2)!.flushThrough, ms: many.at(-2)!.boundaryMs });
    const again = stampOf([file(600, 1, { boundaries: thinned, boundaryMs: null })], 5);
    expect(again).toMatchObject({ boundaryMs: null, boundaries: thinned });
  });
});
