import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Action, type AddFile, removeOf } from '../../../../src/storage/cold/delta/actions.js';
import { decodeCheckpoint, encodeCheckpoint } from '../../../../src/storage/cold/delta/checkpoint.js';
import { decodeCommit, encodeCommit } from '../../../../src/storage/cold/delta/commit-json.js';
import { DeltaFormatError, DeltaUnsupportedError } from '../../../../src/storage/cold/delta/delta-errors.js';
import {
  checkpointName,
  commitName,
  dataFilePath,
  indexFilePath,
  parseLogName,
  pathToUri,
  uriToPath,
} from '../../../../src/storage/cold/delta/paths.js';
import { tableSchemaString } from '../../../../src/storage/cold/delta/schema.js';
import { checkWritable, PROTOCOL, SnapshotBuilder } from '../../../../src/storage/cold/delta/snapshot.js';
import { parseStats, stringifyStats } from '../../../../src/storage/cold/delta/stats.js';
import { MESSAGE_ROWS } from '../../../../src/storage/cold/rows/messages.js';
import { zstd } from './file-reading.js';

const MAX_INT64 = 2n ** 63n - 1n;
const STAMP = { txnId: 'a9b8', timestamp: 1_795_171_505_834 };
const METADATA = {
  id: '6e9733e9-f47c-4fc0-941a-3253f679535c',
  name: 'messages',
  description: null,
  schemaString: tableSchemaString(MESSAGE_ROWS.columns),
  partitionColumns: ['day'],
  configuration: { 'delta.checkpointInterval': '100' },
  createdTime: 1_795_171_505_312,
};
const HEAD: readonly Action[] = [{ protocol: PROTOCOL }, { metaData: METADATA }];

const texts = fc.string({ unit: 'grapheme' }).filter((text) => text !== '__proto__');
const textMaps = fc.dictionary(texts, fc.option(texts), { maxKeys: 4, noNullPrototype: true });
const longs = fc.maxSafeNat();
const addFiles: fc.Arbitrary<AddFile> = fc.record({
  path: texts.map(pathToUri),
  partitionValues: textMaps,
  size: longs,
  modificationTime: longs,
  dataChange: fc.boolean(),
  stats: fc.option(texts),
  tags: fc.option(textMaps),
});
const actions: fc.Arbitrary<Action> = fc.oneof(
  addFiles.map((add) => ({ add })),
  fc
    .record({
      path: texts.map(pathToUri),
      // what was deleted in 1970 has expired in every checkpoint
      deletionTimestamp: fc.option(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
      dataChange: fc.boolean(),
      extendedFileMetadata: fc.boolean(),
      partitionValues: fc.option(textMaps),
      size: fc.option(longs),
    })
    .map((remove) => ({ remove })),
  fc
    .record({ appId: texts, version: fc.bigInt({ min: -MAX_INT64, max: MAX_INT64 }), lastUpdated: fc.option(longs) })
    .map((txn) => ({ txn })),
  fc.constantFrom(...HEAD),
);

const snapshotOf = (list: readonly Action[]) =>
  new SnapshotBuilder().apply([...HEAD, ...list]).build({ version: 7, checkpointVersion: -1, readMs: 0 });

describe('a commit', () => {
  it('has the lines that the protocol asks for', () => {
    const add: AddFile = {
      path: pathToUri(dataFilePath('2026-11-20', 'f7b9')),
      partitionValues: { day: '2026-11-20' },
      size: 29_594,
      modificationTime: 1_795_171_505_834,
      dataChange: true,
      stats: stringifyStats({
        numRecords: 2,
        minValues: { position: 9_007_199_254_740_993n, message_id: '0x01' },
        maxValues: { position: MAX_INT64, message_id: '0x"ü' },
        nullCount: { position: 0 },
      }),
      tags: { footerBytes: '1480' },
    };
    const list: Action[] = [
      ...HEAD,
      { add },
      removeOf(add, 1_795_171_505_999, false),
      { txn: { appId: 'ccv-indexer', version: MAX_INT64, lastUpdated: null } },
    ];
    const text = Buffer.from(encodeCommit(list, { operation: 'WRITE' }, STAMP)).toString('utf8');
    const checksum = crc32(text.slice(text.indexOf('\n') + 1));
    expect(text.split('\n')).toEqual([
      `{"commitInfo":{"timestamp":1795171505834,"operation":"WRITE","operationParameters":{},"engineInfo":"ccv-indexer","txnId":"a9b8","ccv-indexer.crc32":${checksum}}}`,
      '{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["invariants","ccvIndexer"]}}',
      `{"metaData":{"id":"6e9733e9-f47c-4fc0-941a-3253f679535c","name":"messages","format":{"provider":"parquet","options":{}},"schemaString":${JSON.stringify(METADATA.schemaString)},"partitionColumns":["day"],"configuration":{"delta.checkpointInterval":"100"},"createdTime":1795171505312}}`,
      '{"add":{"path":"day=2026-11-20/part-f7b9.zstd.parquet","partitionValues":{"day":"2026-11-20"},"size":29594,"modificationTime":1795171505834,"dataChange":true,"stats":"{\\"numRecords\\":2,\\"minValues\\":{\\"position\\":9007199254740993,\\"message_id\\":\\"0x01\\"},\\"maxValues\\":{\\"position\\":9223372036854775807,\\"message_id\\":\\"0x\\\\\\"ü\\"},\\"nullCount\\":{\\"position\\":0}}","tags":{"footerBytes":"1480"}}}',
      '{"remove":{"path":"day=2026-11-20/part-f7b9.zstd.parquet","deletionTimestamp":1795171505999,"dataChange":false,"extendedFileMetadata":true,"partitionValues":{"day":"2026-11-20"},"size":29594}}',
      '{"txn":{"appId":"ccv-indexer","version":9223372036854775807}}',
      '',
    ]);
  });

  it('comes back action by action, one line each, whatever the texts in it', () => {
    fc.assert(
      fc.property(fc.array(actions, { maxLength: 10 }), (list) => {
        const bytes = encodeCommit(list, { operation: 'WRITE' }, STAMP);
        expect(Buffer.from(bytes).toString('utf8').split('\n')).toHaveLength(list.length + 2);
        expect(decodeCommit(bytes, 'x')).toEqual(list);
      }),
    );
  });

  it('of another writer: unknown actions and fields are ignored, missing ones have their defaults', () => {
    const lines = [
      '{"commitInfo":{"operation":{"any":"thing"}}}',
      '{"cdc":{"path":"c"}}',
      '{"domainMetadata":{"domain":"d","configuration":"","removed":false}}',
      '{"add":{"path":"a","size":1,"newField":{"deep":[1]},"baseRowId":4,"dataChange":true,"modificationTime":5,"partitionValues":{}}}\r',
      '{"remove":{"path":"b","dataChange":true}}',
    ];
    expect(decodeCommit(Buffer.from(lines.join('\n')), 'x')).toEqual([
      {
        add: {
          path: 'a',
          partitionValues: {},
          size: 1,
          modificationTime: 5,
          dataChange: true,
          stats: null,
          tags: null,
        },
      },
      {
        remove: {
          path: 'b',
          deletionTimestamp: null,
          dataChange: true,
          extendedFileMetadata: false,
          partitionValues: null,
          size: null,
        },
      },
    ]);
  });

  it.each([
    ['half a line', '{"add":{"path":"a"', DeltaFormatError],
    ['no object', '[1]', DeltaFormatError],
    ['no path', '{"add":{"size":1}}', DeltaFormatError],
    ['a size that is text', '{"add":{"path":"a","size":"1"}}', DeltaFormatError],
    ['a deletion vector', '{"add":{"path":"a","size":1,"deletionVector":{"storageType":"u"}}}', DeltaUnsupportedError],
    ['files of another format', '{"metaData":{"id":"x","format":{"provider":"orc"}}}', DeltaUnsupportedError],
    ['a sidecar', '{"sidecar":{"path":"x"}}', DeltaUnsupportedError],
  ])('with %s is refused', (_what, line, error) => {
    expect(() => decodeCommit(Buffer.from(line), 'x')).toThrow(error);
  });
});

describe('a snapshot', () => {
  const add = (path: string): Action => ({
    add: { path, partitionValues: {}, size: 1, modificationTime: 1, dataChange: true, stats: null, tags: null },
  });
  const remove = (path: string): Action => ({
    remove: {
      path,
      deletionTimestamp: 5,
      dataChange: true,
      extendedFileMetadata: false,
      partitionValues: null,
      size: null,
    },
  });

  it('holds the newest action of each file and application', () => {
    const txn = (version: bigint): Action => ({ txn: { appId: 'a', version, lastUpdated: null } });
    const first = snapshotOf([add('1'), add('2'), txn(5n)]);
    const second = new SnapshotBuilder(first)
      .apply([remove('1'), txn(9n)])
      .apply([add('3'), remove('3')])
      .apply([add('1')])
      .apply([remove('2')])
      .build({ version: 8, checkpointVersion: -1, readMs: 0 });
    expect([...second.files.keys()].sort()).toEqual(['1', '3']);
    expect([...second.tombstones.keys()]).toEqual(['2']);
    expect(second.transactions.get('a')?.version).toBe(9n);
    expect([...first.files.keys()]).toEqual(['1', '2']);
    expect(first.transactions.get('a')?.version).toBe(5n);
  });

  it('of a table that needs a newer reader is refused, of one that needs a newer writer only for writing', () => {
    expect(() => snapshotOf([{ protocol: { minReaderVersion: 2, minWriterVersion: 5 } }])).toThrow(
      DeltaUnsupportedError,
    );
    const newer = snapshotOf([{ protocol: { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: ['x'] } }]);
    expect(() => checkWritable(newer)).toThrow(DeltaUnsupportedError);
    expect(() => checkWritable(snapshotOf([]))).not.toThrow();
  });
});

describe('a checkpoint', () => {
  it('holds a snapshot: what is read from it is that snapshot', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(actions, { maxLength: 12 }), async (list) => {
        const snapshot = snapshotOf(list);
        const { bytes, actions: count, addFiles: adds } = encodeCheckpoint(snapshot, 0, zstd);
        const decoded = await decodeCheckpoint(bytes, 'x', zstd);
        expect(decoded).toHaveLength(count);
        expect(adds).toBe(snapshot.files.size);
        const back = new SnapshotBuilder().apply(decoded).build({ version: 7, checkpointVersion: -1, readMs: 0 });
        const unchanged = <T extends { readonly dataChange: boolean }>(files: ReadonlyMap<string, T>) =>
          new Map([...files].map(([path, file]) => [path, { ...file, dataChange: false }]));
        expect(back.files).toEqual(unchanged(snapshot.files));
        const kept = [...snapshot.tombstones].filter(([, { deletionTimestamp }]) => deletionTimestamp !== null);
        expect(back.tombstones).toEqual(unchanged(new Map(kept)));
        expect(back.transactions).toEqual(snapshot.transactions);
        expect(back.metadata).toEqual(METADATA);
        expect(back.protocol).toEqual(PROTOCOL);
      }),
      { numRuns: 60 },
    );
  });

  it('leaves out tombstones that have expired', async () => {
    const remove = (path: string, deletionTimestamp: number): Action => ({
      remove: {
        path,
        deletionTimestamp,
        dataChange: true,
        extendedFileMetadata: false,
        partitionValues: null,
        size: null,
      },
    });
    const { bytes } = encodeCheckpoint(snapshotOf([remove('old', 1_000), remove('new', 1_001)]), 1_000, zstd);
    const paths = (await decodeCheckpoint(bytes, 'x', zstd)).flatMap((each) =>
      'remove' in each ? [each.remove.path] : [],
    );
    expect(paths).toEqual(['new']);
  });

  it('that is damaged is refused', async () => {
    const { bytes } = encodeCheckpoint(snapshotOf([]), 0, zstd);
    await expect(decodeCheckpoint(bytes.subarray(0, -9), 'x', zstd)).rejects.toThrow(DeltaFormatError);
    await expect(decodeCheckpoint(new Uint8Array(0), 'x', zstd)).rejects.toThrow(DeltaFormatError);
  });
});

describe('statistics of a file', () => {
  it('keep every 64-bit number', () => {
    const stats = {
      numRecords: 3,
      minValues: { position: 2n ** 62n, text: 'a' },
      maxValues: { position: MAX_INT64, text: 'b' },
      nullCount: { position: 0, text: 1 },
    };
    expect(parseStats(stringifyStats(stats))).toEqual(stats);
  });

  it('of other writers may leave things out', () => {
    expect(parseStats('{"numRecords":4,"tightBounds":true,"minValues":{"nested":{"a":1},"d":1.5,"n":2}}')).toEqual({
      numRecords: 4,
      minValues: { n: 2 },
      maxValues: {},
      nullCount: {},
    });
    for (const text of ['', '{}', '[]', '{"numRecords":-1}', '{"numRecords":1,"minValues":3}'])
      expect(() => parseStats(text)).toThrow(DeltaFormatError);
  });
});

describe('names', () => {
  it('of the log have versions of 20 digits', () => {
    expect(commitName(42)).toBe('00000000000000000042.json');
    expect(checkpointName(42)).toBe('00000000000000000042.checkpoint.parquet');
    expect(parseLogName(commitName(7))).toEqual({ kind: 'commit', version: 7 });
    expect(parseLogName(checkpointName(7))).toEqual({ kind: 'checkpoint', version: 7 });
    for (const name of [
      '_last_checkpoint',
      '00000000000000000007.crc',
      '00000000000000000004.00000000000000000006.compacted.json',
      '00000000000000000010.checkpoint.0000000001.0000000003.parquet',
      '00000000000000000010.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json',
      '7.json',
    ])
      expect(parseLogName(name)).toBeNull();
  });

  it('of files travel through URIs', () => {
    expect(pathToUri(dataFilePath('2026-11-20', 'x'))).toBe('day=2026-11-20/part-x.zstd.parquet');
    expect(indexFilePath('2026-11-20', 'x')).toBe('_index/day=2026-11-20/part-x.idx');
    expect(pathToUri('a b/ü%=#?')).toBe('a%20b/%C3%BC%25=%23%3F');
    fc.assert(
      fc.property(texts, (path) => {
        expect(uriToPath(pathToUri(path.replace(/^\/+/, '')))).toBe(path.replace(/^\/+/, ''));
      }),
    );
    for (const uri of ['s3://bucket/a', '/a', 'file:///a', '%zz'])
      expect(() => uriToPath(uri)).toThrow(DeltaUnsupportedError);
  });

  it('of columns and types are those of the schema format', () => {
    const schema = JSON.parse(tableSchemaString(MESSAGE_ROWS.columns));
    expect(schema.type).toBe('struct');
    expect(schema.fields[0]).toMatchObject({ name: 'ingestion_ms', type: 'long', nullable: false });
    expect(schema.fields.at(-1)).toMatchObject({ name: 'day', type: 'date', nullable: true });
    expect(schema.fields).toHaveLength(MESSAGE_ROWS.columns.length + 1);
  });
});
