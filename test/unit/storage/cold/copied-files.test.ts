import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStats, stringifyStats } from '../../../../src/storage/cold/delta/stats.js';
import { readEntries } from '../../../../src/storage/cold/id-index/index-head.js';
import type { StoredGroup } from '../../../../src/storage/cold/parquet/file-writer.js';
import type { FileFooter } from '../../../../src/storage/cold/parquet/footer.js';
import { int64Bounds, readFooter } from '../../../../src/storage/cold/parquet/footer.js';
import { createFileEncoder, type EncodedFile } from '../../../../src/storage/cold/rows/data-file-encoder.js';
import { MESSAGE_ROWS } from '../../../../src/storage/cold/rows/messages.js';
import { atOnce } from '../../../support/cold/at-once.js';
import { comparable, encodeFile, rangesOf, readFile, zstd } from './file-reading.js';
import { inOrder, storedMessages } from './row-arbitraries.js';

const LIMITS = { targetBytes: 1_000, capBytes: 4_000, maxRows: 5 };
const messages = fc
  .array(storedMessages, { minLength: 3, maxLength: 40 })
  .map((records) => inOrder(MESSAGE_ROWS, records));

describe('the row groups of files that are copied into another', () => {
  it('give the file that was copied when nothing lies before them', async () => {
    await fc.assert(
      fc.asyncProperty(messages, async (records) => {
        const file = encodeFile(MESSAGE_ROWS, records, LIMITS);
        const copy = await copied([{ file }]);
        expect(Buffer.compare(copy.bytes, file.bytes)).toBe(0);
        expect(Buffer.compare(copy.index!.bytes, file.index!.bytes)).toBe(0);
        expect(stringifyStats(copy.stats)).toBe(stringifyStats(file.stats));
        expect(copy.summary).toEqual(file.summary);
        expect(copy.termKinds).toEqual(file.termKinds);
      }),
      { numRuns: 25 },
    );
  });

  it('give with rows between them a file of all rows, with the figures of all', async () => {
    await fc.assert(
      fc.asyncProperty(messages, fc.nat(), fc.nat(), async (records, one, other) => {
        const [first, second] = [one % records.length, other % records.length].sort((a, b) => a - b) as [
          number,
          number,
        ];
        const [before, between, after] = [records.slice(0, first), records.slice(first, second), records.slice(second)];
        const parts = [
          ...(before.length > 0 ? [{ file: encodeFile(MESSAGE_ROWS, before, LIMITS) }] : []),
          { records: between },
          { file: encodeFile(MESSAGE_ROWS, after, LIMITS) },
        ];
        const found = await copied(parts);
        const whole = encodeFile(MESSAGE_ROWS, records, LIMITS);
        expect(comparable(await readFile(MESSAGE_ROWS, found))).toEqual(comparable(records));
        expect(stringifyStats(found.stats)).toBe(stringifyStats(whole.stats));
        expect(found.summary).toEqual(whole.summary);
        expect(found.rows).toBe(records.length);
        const { high, low } = readEntries(found.index!.bytes);
        const hashes = (of: { high: Uint32Array; low: Uint32Array }) =>
          new Set([...of.high].map((each, place) => `${each} ${of.low[place]}`));
        expect(hashes({ high, low })).toEqual(hashes(readEntries(whole.index!.bytes)));
      }),
      { numRuns: 25 },
    );
  });
});

interface Part {
  readonly file?: EncodedFile;
  readonly records?: readonly Parameters<typeof MESSAGE_ROWS.keyOf>[0][];
}

async function copied(parts: readonly Part[]): Promise<EncodedFile> {
  const encoder = createFileEncoder({ kind: MESSAGE_ROWS, zstd, limits: LIMITS });
  for (const { file, records = [] } of parts) {
    for (const record of records) encoder.add(record);
    if (!file) continue;
    const footer = await readFooter({ sizeBytes: file.bytes.length }, rangesOf(file.bytes).fetch);
    const target = encoder.copying({
      rows: file.rows,
      // as a log gives them
      stats: parseStats(stringifyStats(file.stats)),
      summary: file.summary,
      entries: readEntries(file.index!.bytes),
    });
    for (let group = 0; group < footer.groups; group++) target.add(groupOf(file.bytes, footer, group));
  }
  return atOnce(encoder.finishing());
}

function groupOf(bytes: Uint8Array, footer: FileFooter, group: number): StoredGroup {
  const { start } = footer.groupRange(group);
  const end = group + 1 < footer.groups ? footer.groupRange(group + 1).start : footerStart(bytes);
  const chunks = footer.columns.map(({ name, leaf }, column) => {
    const range = footer.chunkRange(group, column);
    return {
      ...{ name, sizeBytes: range.endExclusive - range.start, checksum: footer.chunkChecksum(group, column) ?? 0 },
      bounds: leaf.type === 'INT64' ? int64Bounds(footer, name)(group) : null,
    };
  });
  const place = { rows: footer.groupRows(group), start, chunks };
  return { bytes: bytes.subarray(start, end), entry: footer.groupEntry(group), place };
}

function footerStart(bytes: Uint8Array): number {
  return bytes.length - 8 - Buffer.from(bytes).readUInt32LE(bytes.length - 8);
}
