import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '../../../../src/core/errors.js';
import { resultIdentity } from '../../../../src/model/identity.js';
import type { StoredConflict } from '../../../../src/model/records.js';
import { ROW_GROUP_LIMITS } from '../../../../src/storage/cold/parquet/file-writer.js';
import { readRowGroups } from '../../../../src/storage/cold/parquet/row-group-reader.js';
import { EXECUTION_ROWS } from '../../../../src/storage/cold/rows/executions.js';
import { LEDGER_ROWS } from '../../../../src/storage/cold/rows/ledger.js';
import { MESSAGE_ROWS } from '../../../../src/storage/cold/rows/messages.js';
import { dayOf, type RowKind } from '../../../../src/storage/cold/rows/row-kind.js';
import { VERIFIER_RESULT_ROWS } from '../../../../src/storage/cold/rows/verifier-results.js';
import { createRecordMaker } from '../../../support/records.js';
import { allGroups, comparable, encodeFile, footerOf, rangesOf, readFile, zstd } from './file-reading.js';
import {
  decodableMessages,
  inOrder,
  ledgerChanges,
  orphanEntries,
  storedExecutions,
  storedMessages,
  storedVerifierResults,
} from './row-arbitraries.js';

const LOOKUP_BYTES = 256 * 1024;
const DAY_MS = 24 * 60 * 60 * 1000;

/** `count` results of about `dataBytes` + `ccvDataBytes` in commits of 50. */
function stored(count: number, dataBytes: number, ccvDataBytes: number) {
  const maker = createRecordMaker(11);
  const results = maker.results(count, { dataBytes, ccvDataBytes }).map((result, index) => {
    const ingestionMs = 1_795_000_000_000 + Math.floor(index / 50);
    const encodedMessage = Uint8Array.from(result.encodedMessage);
    return {
      ...result,
      encodedMessage,
      ingestionMs,
      firstMs: ingestionMs,
      position: BigInt(index + 1),
      orphaned: false,
      verdict: result.verdict ?? null,
    };
  });
  return inOrder(VERIFIER_RESULT_ROWS, results);
}

function itRoundTrips<T, K extends { readonly position: bigint }>(
  what: string,
  kind: RowKind<T, K>,
  records: fc.Arbitrary<T>,
): void {
  it(`${what} come back value by value, in small row groups and large ones`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(records, { minLength: 1, maxLength: 30 }),
        fc.constantFrom(200, 5_000, ROW_GROUP_LIMITS.targetBytes),
        async (unordered, targetBytes) => {
          const written = inOrder(kind, unordered);
          const file = encodeFile(kind, written, { targetBytes, capBytes: targetBytes * 2, maxRows: 7 });
          expect(comparable(await readFile(kind, file))).toEqual(comparable(written));
        },
      ),
      { numRuns: 60 },
    );
  });

  it(`keys of ${what} are read from the key columns alone`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(records, { minLength: 1, maxLength: 20 }), async (unordered) => {
        const written = inOrder(kind, unordered);
        const file = encodeFile(kind, written);
        const footer = await footerOf(file);
        const request = { groups: allGroups(footer), columns: kind.keyColumns };
        const groups = await readRowGroups(footer, request, { fetch: rangesOf(file.bytes).fetch, zstd });
        const keys = groups.flatMap((data) => Array.from({ length: data.rows }, (_, row) => kind.keys(data)(row)));
        expect(keys).toEqual(written.map((record) => kind.keyOf(record)));
      }),
      { numRuns: 30 },
    );
  });
}

describe('records in Parquet', () => {
  itRoundTrips('verifier results', VERIFIER_RESULT_ROWS, storedVerifierResults);
  itRoundTrips('messages', MESSAGE_ROWS, storedMessages);
  itRoundTrips('messages that are stored as columns', MESSAGE_ROWS, decodableMessages);

  it('the bytes of a message that is stored as columns are in memory of their own, and no Buffer', async () => {
    const records = inOrder(MESSAGE_ROWS, fc.sample(decodableMessages, { numRuns: 20, seed: 1 }));
    for (const { encodedMessage } of await readFile(MESSAGE_ROWS, encodeFile(MESSAGE_ROWS, records))) {
      expect(encodedMessage.constructor).toBe(Uint8Array);
      expect(encodedMessage.buffer.byteLength).toBe(encodedMessage.byteLength);
    }
  });

  itRoundTrips('executions', EXECUTION_ROWS, storedExecutions);
  itRoundTrips('ledger changes', LEDGER_ROWS, ledgerChanges);
  itRoundTrips('orphaned and returned records', LEDGER_ROWS, orphanEntries);

  it('what is read shares no memory with the file or with other records', async () => {
    const file = encodeFile(VERIFIER_RESULT_ROWS, stored(50, 100, 134));
    const [first] = await readFile(VERIFIER_RESULT_ROWS, file);
    for (const bytes of [first!.encodedMessage, first!.ccvData]) {
      expect(bytes.byteOffset).toBe(0);
      expect(bytes.buffer.byteLength).toBe(bytes.byteLength);
    }
    expect(Object.isFrozen(first!.messageCCVAddresses)).toBe(true);
  });

  it('the file itself is in memory of its own', () => {
    const { bytes, index } = encodeFile(VERIFIER_RESULT_ROWS, stored(10, 100, 134));
    expect(bytes.buffer.byteLength).toBe(bytes.byteLength);
    expect(index?.bytes.buffer.byteLength).toBe(index?.bytes.byteLength);
  });

  it('the same records make the same bytes', () => {
    const records = stored(300, 100, 134);
    const [once, again] = [encodeFile(VERIFIER_RESULT_ROWS, records), encodeFile(VERIFIER_RESULT_ROWS, records)];
    expect(comparable(once.bytes)).toBe(comparable(again.bytes));
  });

  it('rejects records out of order, and files without rows', () => {
    const records = stored(3, 100, 134);
    expect(() => encodeFile(VERIFIER_RESULT_ROWS, [...records].reverse())).toThrow(InvalidArgumentError);
    expect(() => encodeFile(VERIFIER_RESULT_ROWS, [])).toThrow(InvalidArgumentError);
  });

  it('keeps two states of one record, as they come', async () => {
    const [record] = stored(1, 100, 134);
    const states = [record!, { ...record!, position: 9n }];
    const read = await readFile(VERIFIER_RESULT_ROWS, encodeFile(VERIFIER_RESULT_ROWS, states));
    expect(comparable(read)).toEqual(comparable(states));
    expect(new Set(read.map((state) => resultIdentity(VERIFIER_RESULT_ROWS.keyOf(state)))).size).toBe(1);
  });
});

describe('row groups', () => {
  it.each([
    ['of random bytes', stored(600, 1_000, 1_000)],
    ['of small records', stored(3_000, 32, 134)],
  ])('two of them and an index page stay below 256 KiB: %s', async (_what, records) => {
    const footer = await footerOf(encodeFile(VERIFIER_RESULT_ROWS, records));
    expect(footer.groups).toBeGreaterThan(2);
    for (const group of allGroups(footer)) {
      const { start, endExclusive } = footer.groupRange(group);
      expect(2 * (endExclusive - start) + 8 * 1024).toBeLessThan(LOOKUP_BYTES);
    }
  });

  it('keep the cap when records stop compressing', async () => {
    const maker = createRecordMaker(3);
    const plain = stored(2_000, 32, 134).map((record) => ({ ...record, ccvData: new Uint8Array(3_000) }));
    const random = stored(200, 32, 134).map((record, index) => ({
      ...record,
      ingestionMs: record.ingestionMs + DAY_MS,
      position: BigInt(10_000 + index),
      ccvData: maker.bytes(3_000),
    }));
    const records = inOrder(VERIFIER_RESULT_ROWS, [...plain, ...random]);
    const file = encodeFile(VERIFIER_RESULT_ROWS, records);
    const footer = await footerOf(file);
    for (const group of allGroups(footer)) {
      const { start, endExclusive } = footer.groupRange(group);
      expect(endExclusive - start).toBeLessThanOrEqual(ROW_GROUP_LIMITS.capBytes);
    }
    expect(comparable(await readFile(VERIFIER_RESULT_ROWS, file))).toEqual(comparable(records));
  });

  it('a record larger than the cap has a row group of its own', async () => {
    const records = stored(3, 32, 134);
    const maker = createRecordMaker(4);
    const large = records.map((record) => ({ ...record, ccvData: maker.bytes(300_000) }));
    const file = encodeFile(VERIFIER_RESULT_ROWS, large);
    expect((await footerOf(file)).groups).toBe(3);
    expect(comparable(await readFile(VERIFIER_RESULT_ROWS, file))).toEqual(comparable(large));
  });

  it('one is read with one request, its keys with one, all of a file with few', async () => {
    const file = encodeFile(VERIFIER_RESULT_ROWS, stored(600, 1_000, 1_000));
    const footer = await footerOf(file);
    const read = async (groups: number[], columns = VERIFIER_RESULT_ROWS.columns) => {
      const { fetch, asked } = rangesOf(file.bytes);
      await readRowGroups(footer, { groups, columns }, { fetch, zstd });
      return asked;
    };
    expect(await read([1])).toEqual([footer.groupRange(1)]);
    expect(await read([1], VERIFIER_RESULT_ROWS.keyColumns)).toHaveLength(1);
    expect(await read(allGroups(footer))).toHaveLength(1);
    expect(await read([0, 4])).toHaveLength(2);
  });

  it('the heavy columns of chosen rows come in one request after the keys', async () => {
    const file = encodeFile(VERIFIER_RESULT_ROWS, stored(600, 1_000, 1_000));
    const footer = await footerOf(file);
    const rest = VERIFIER_RESULT_ROWS.columns.filter((each) => !VERIFIER_RESULT_ROWS.keyColumns.includes(each));
    const { fetch, asked } = rangesOf(file.bytes);
    await readRowGroups(footer, { groups: [2], columns: rest }, { fetch, zstd });
    expect(asked).toHaveLength(1);
    expect(asked[0]!.endExclusive).toBe(footer.groupRange(2).endExclusive);
    expect(asked[0]!.start).toBeGreaterThan(footer.groupRange(2).start);
  });
});

describe('statistics', () => {
  it('bound every value of a file, count its nulls and its listed rows', () => {
    fc.assert(
      fc.property(fc.array(storedMessages, { minLength: 1, maxLength: 20 }), (unordered) => {
        const records = inOrder(MESSAGE_ROWS, unordered);
        const { stats, summary, rows } = encodeFile(MESSAGE_ROWS, records);
        const positions = records.map((record) => record.position).sort((a, b) => (a < b ? -1 : 1));
        expect(stats.numRecords).toBe(records.length);
        expect(rows).toBe(records.length);
        expect(BigInt(stats.minValues['ingestion_ms']!)).toBe(BigInt(records[0]!.ingestionMs));
        expect(BigInt(stats.maxValues['ingestion_ms']!)).toBe(BigInt(records.at(-1)!.ingestionMs));
        expect(stats.minValues['position']).toBe(positions[0]);
        expect(stats.maxValues['position']).toBe(positions.at(-1));
        expect(stats.nullCount['block_hash']).toBe(records.filter((record) => record.origin === null).length);
        expect(summary.minPosition).toBe(positions[0]);
        expect(summary.maxPosition).toBe(positions.at(-1));
        const listed = [...summary.listedByLane.values()].reduce((sum, count) => sum + count, 0);
        expect(listed).toBe(records.length);
      }),
      { numRuns: 40 },
    );
  });

  it('of a row group bound its keys, and name a selector whole', async () => {
    const records = stored(600, 1_000, 1_000);
    const file = encodeFile(VERIFIER_RESULT_ROWS, records);
    const footer = await footerOf(file);
    const ms = footer.columnIndex('ingestion_ms');
    const selector = footer.columnIndex('dest_chain_selector');
    let row = 0;
    for (const group of allGroups(footer)) {
      const bounds = footer.chunkBounds(group, ms)!;
      expect(Number(Buffer.from(bounds.min).readBigInt64LE())).toBe(records[row]!.ingestionMs);
      row += footer.groupRows(group);
      expect(Number(Buffer.from(bounds.max).readBigInt64LE())).toBe(records[row - 1]!.ingestionMs);
      expect(Buffer.from(footer.chunkBounds(group, selector)!.max).toString()).toBe('14767482510784806043');
      expect(footer.chunkBounds(group, footer.columnIndex('ccv_data'))).toBeNull();
    }
    expect(row).toBe(records.length);
  });
});

describe('names', () => {
  it('a day is that of the ingestion time in UTC, whatever the time', () => {
    expect(dayOf(Date.UTC(2026, 10, 20, 23, 59, 59, 999))).toBe('2026-11-20');
    expect(dayOf(0)).toBe('1970-01-01');
    expect(dayOf(Number.MAX_SAFE_INTEGER)).toBe('9999-12-31');
  });

  it('a ledger row has the parts of its identity as a JSON text', () => {
    const record = { sourceId: 'chain:1', height: 5n, hash: null, position: 7n };
    expect(LEDGER_ROWS.keyOf({ kind: 'cursor', position: 7n, record }).identity).toBe('["chain:1"]');
    const conflict: StoredConflict = {
      ...{ record: 'message' as const, messageId: '0xaa', verifierSourceAddress: '0x', verifierDestAddress: '0x' },
      ...{ storedHash: '0x01', receivedHash: '0x02', ingestionMs: 1, position: 8n },
    };
    expect(LEDGER_ROWS.keyOf({ kind: 'conflict', position: 8n, record: conflict }).identity).toBe(
      '["message","0xaa","0x","0x","0x02"]',
    );
  });
});
