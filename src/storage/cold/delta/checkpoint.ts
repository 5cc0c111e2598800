import { parquetReadObjects, type SchemaElement } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { Zstd } from '../parquet/zstd.js';
import type { Action, AddFile, RemoveFile } from './actions.js';
import { CHECKSUM_KEY, isIntactCheckpoint, NO_CHECKSUM, sealCheckpoint } from './checksum.js';
import { Fields, toAction } from './commit-json.js';
import { DeltaFormatError, DeltaUnsupportedError } from './delta-errors.js';
import type { DeltaSnapshot } from './snapshot.js';

/** A checkpoint and the figures of `_last_checkpoint`. */
export interface EncodedCheckpoint {
  readonly bytes: Uint8Array;
  readonly actions: number;
  readonly addFiles: number;
}

/** Optional, as every level of a checkpoint is: one row holds one action. */
const OPTIONAL = { repetition_type: 'OPTIONAL' } as const;

const text = (name: string): SchemaElement[] => [{ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', ...OPTIONAL }];
const long = (name: string): SchemaElement[] => [{ name, type: 'INT64', ...OPTIONAL }];
const integer = (name: string): SchemaElement[] => [{ name, type: 'INT32', ...OPTIONAL }];
const boolean = (name: string): SchemaElement[] => [{ name, type: 'BOOLEAN', ...OPTIONAL }];

function struct(name: string, ...fields: SchemaElement[][]): SchemaElement[] {
  return [{ name, num_children: fields.length, ...OPTIONAL }, ...fields.flat()];
}

function textMap(name: string): SchemaElement[] {
  return [
    { name, converted_type: 'MAP', num_children: 1, ...OPTIONAL },
    { name: 'key_value', num_children: 2, repetition_type: 'REPEATED' },
    { name: 'key', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
    ...text('value'),
  ];
}

function textList(name: string): SchemaElement[] {
  return [
    { name, converted_type: 'LIST', num_children: 1, ...OPTIONAL },
    { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
    ...text('element'),
  ];
}

/** PROTOCOL.md, "Checkpoint Schema": tombstones come without statistics and tags. */
const COLUMNS = {
  txn: struct('txn', text('appId'), long('version'), long('lastUpdated')),
  add: struct(
    'add',
    text('path'),
    textMap('partitionValues'),
    long('size'),
    long('modificationTime'),
    boolean('dataChange'),
    text('stats'),
    textMap('tags'),
  ),
  remove: struct(
    'remove',
    text('path'),
    long('deletionTimestamp'),
    boolean('dataChange'),
    boolean('extendedFileMetadata'),
    textMap('partitionValues'),
    long('size'),
  ),
  metaData: struct(
    'metaData',
    text('id'),
    text('name'),
    text('description'),
    struct('format', text('provider'), textMap('options')),
    text('schemaString'),
    textList('partitionColumns'),
    textMap('configuration'),
    long('createdTime'),
  ),
  protocol: struct('protocol', integer('minReaderVersion'), integer('minWriterVersion'), textList('writerFeatures')),
};

const SCHEMA: SchemaElement[] = [
  { name: 'root', num_children: Object.keys(COLUMNS).length },
  ...Object.values(COLUMNS).flat(),
];

type Row = { readonly [K in keyof typeof COLUMNS]?: object };

/**
 * A classic checkpoint (version 1 of its specification, one file) of a snapshot; tombstones as old as that are left
 * out.
 */
export function encodeCheckpoint(snapshot: DeltaSnapshot, expiredBeforeMs: number, zstd: Zstd): EncodedCheckpoint {
  const { metadata, protocol } = snapshot;
  const tombstones = [...snapshot.tombstones.values()].filter(
    // one without a time has expired for every reader
    ({ deletionTimestamp }) => (deletionTimestamp ?? 0) > expiredBeforeMs,
  );
  const rows: Row[] = [
    { protocol },
    {
      metaData: {
        ...metadata,
        format: { provider: 'parquet', options: {} },
        createdTime: toLong(metadata.createdTime),
      },
    },
    ...[...snapshot.transactions.values()].map((txn) => ({ txn: { ...txn, lastUpdated: toLong(txn.lastUpdated) } })),
    ...[...snapshot.files.values()].map(addRow),
    ...tombstones.map(removeRow),
  ];
  const names = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[];
  const buffer = parquetWriteBuffer({
    schema: SCHEMA,
    columnData: names.map((name) => ({ name, data: rows.map((row) => row[name] ?? null), statistics: false })),
    codec: 'ZSTD',
    compressors: { ZSTD: (page) => zstd.compress(page) },
    createdBy: 'ccv-indexer version 1',
    kvMetadata: [{ key: CHECKSUM_KEY, value: NO_CHECKSUM }],
    rowGroupSize: 100_000,
  });
  const bytes = new Uint8Array(buffer);
  sealCheckpoint(bytes);
  return { bytes, actions: rows.length, addFiles: snapshot.files.size };
}

function addRow(add: AddFile): Row {
  return {
    add: { ...add, size: BigInt(add.size), modificationTime: BigInt(add.modificationTime), dataChange: false },
  };
}

function removeRow(remove: RemoveFile): Row {
  const { size, deletionTimestamp } = remove;
  return {
    remove: { ...remove, dataChange: false, size: toLong(size), deletionTimestamp: toLong(deletionTimestamp) },
  };
}

function toLong(value: number | null): bigint | null {
  return value === null ? null : BigInt(value);
}

/**
 * The actions of a checkpoint, of any writer.
 * @throws DeltaFormatError when it cannot be read.
 * @throws DeltaUnsupportedError when it uses an unknown feature.
 */
export async function decodeCheckpoint(bytes: Uint8Array, name: string, zstd: Zstd): Promise<Action[]> {
  if (!isIntactCheckpoint(bytes)) throw new DeltaFormatError(`${name} is damaged: its checksum is of another content`);
  const rows = await readRows(bytes, name, zstd);
  const actions: Action[] = [];
  for (const row of rows) {
    const action = toAction(new Fields(row, name), name);
    if (action) actions.push(action);
  }
  return actions;
}

async function readRows(bytes: Uint8Array, name: string, zstd: Zstd): Promise<unknown[]> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  try {
    return await parquetReadObjects({
      file,
      compressors: { ZSTD: (page, sizeBytes) => zstd.decompress(page, sizeBytes) },
      geoparquet: false,
    });
  } catch (cause) {
    if (cause instanceof DeltaUnsupportedError) throw cause;
    throw new DeltaFormatError(`${name} is not a readable Parquet file`, { cause });
  }
}
