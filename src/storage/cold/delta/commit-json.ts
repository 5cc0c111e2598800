import { crc32 } from 'node:zlib';
import { JsonSyntaxError, parseExactJson, stringifyExactJson } from '../../../protocol/exact-json.js';
import type { Action, AddFile, CommitInfo, RemoveFile, TableMetadata, Transaction } from './actions.js';
import { CHECKSUM_KEY, checksumOfActions } from './checksum.js';
import { DeltaFormatError, DeltaUnsupportedError } from './delta-errors.js';

/** A commit's own facts: by `txnId` a writer knows its own commit again. */
export interface CommitStamp {
  readonly txnId: string;
  /** Unix ms. */
  readonly timestamp: number;
}

/**
 * The bytes of a commit: one JSON object a line, `commitInfo` first. 64-bit numbers are JSON numbers of all their
 * digits; optional fields that are null are left out.
 */
export function encodeCommit(actions: readonly Action[], info: CommitInfo, stamp: CommitStamp): Uint8Array {
  const commitInfo = {
    timestamp: stamp.timestamp,
    operation: info.operation,
    operationParameters: info.operationParameters ?? {},
    ...(info.operationMetrics && { operationMetrics: info.operationMetrics }),
    engineInfo: 'ccv-indexer',
    txnId: stamp.txnId,
  };
  const lines = Buffer.from(actions.map((action) => lineOf(toJson(action))).join(''), 'utf8');
  const first = lineOf({ commitInfo: { ...commitInfo, [CHECKSUM_KEY]: crc32(lines) } });
  return Buffer.concat([Buffer.from(first, 'utf8'), lines]);
}

function lineOf(fields: object): string {
  return `${stringifyExactJson(fields)}\n`;
}

function toJson(action: Action): object {
  if ('metaData' in action) {
    const { id, name, description, schemaString, partitionColumns, configuration, createdTime } = action.metaData;
    const format = { provider: 'parquet', options: {} };
    return {
      metaData: withoutNulls({
        id,
        name,
        description,
        format,
        schemaString,
        partitionColumns,
        configuration,
        createdTime,
      }),
    };
  }
  if ('add' in action) return { add: withoutNulls(action.add) };
  if ('remove' in action) return { remove: withoutNulls(action.remove) };
  if ('txn' in action) return { txn: withoutNulls(action.txn) };
  return { protocol: action.protocol };
}

/** Drops nulls of the first level only: a null partition value means something. */
function withoutNulls(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

/**
 * The actions of a commit that matter to a snapshot, in file order.
 * @throws DeltaFormatError
 * @throws DeltaUnsupportedError for deletion vectors and for protocols that we do not know.
 */
export function decodeCommit(bytes: Uint8Array, name: string): Action[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const actions: Action[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const fields = parseLine(line, name);
    const checksum = fields.object('commitInfo')?.integerOrNull(CHECKSUM_KEY) ?? null;
    if (checksum !== null && checksum !== checksumOfActions(bytes))
      throw new DeltaFormatError(`${name} is damaged: its checksum is of other lines`);
    const action = toAction(fields, name);
    if (action) actions.push(action);
  }
  return actions;
}

/** The writer of a commit. */
export interface CommitOrigin {
  /** It has our checksum, which no other writer knows. */
  readonly isOurs: boolean;
  /** The version that the table is as of since this commit; null for all commits but rollbacks. */
  readonly restores: number | null;
}

/** The operation of a rollback, and its parameter: the version that the table is as of from then on. */
export const ROLLBACK = { operation: 'ROLLBACK', parameter: 'version' } as const;

/** Tells who wrote a commit. @throws DeltaFormatError */
export function originOf(bytes: Uint8Array, name: string): CommitOrigin {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  for (const line of text.split('\n')) {
    const info = line.trim() === '' ? null : parseLine(line, name).object('commitInfo');
    if (!info) continue;
    const isOurs = info.has(CHECKSUM_KEY);
    const isRollback = isOurs && info.textOrNull('operation') === ROLLBACK.operation;
    const version = isRollback ? info.object('operationParameters')?.textOrNull(ROLLBACK.parameter) : null;
    return { isOurs, restores: version == null ? null : Number(version) };
  }
  return { isOurs: false, restores: null };
}

function parseLine(line: string, name: string): Fields {
  try {
    const value = parseExactJson(line);
    return new Fields(value, name);
  } catch (cause) {
    if (cause instanceof JsonSyntaxError)
      throw new DeltaFormatError(`${name} holds a line that is not JSON`, { cause });
    throw cause;
  }
}

/**
 * The action in an object with one field for each kind of action, as log lines and checkpoint rows have it; null for
 * kinds that do not matter to a snapshot.
 */
export function toAction(line: Fields, name: string): Action | null {
  const add = line.object('add');
  if (add) return { add: toAdd(add) };
  const remove = line.object('remove');
  if (remove) return { remove: toRemove(remove) };
  const txn = line.object('txn');
  if (txn) return { txn: toTransaction(txn) };
  const metaData = line.object('metaData');
  if (metaData) return { metaData: toMetadata(metaData) };
  const protocol = line.object('protocol');
  if (protocol)
    return {
      protocol: {
        minReaderVersion: protocol.integer('minReaderVersion'),
        minWriterVersion: protocol.integer('minWriterVersion'),
        ...(protocol.has('writerFeatures') && { writerFeatures: protocol.texts('writerFeatures') }),
      },
    };
  if (line.object('sidecar')) throw new DeltaUnsupportedError(`${name} is a checkpoint with sidecar files`);
  return null;
}

function toAdd(fields: Fields): AddFile {
  if (fields.object('deletionVector')) throw new DeltaUnsupportedError('a file has a deletion vector');
  return {
    path: fields.text('path'),
    partitionValues: fields.map('partitionValues') ?? {},
    size: fields.integer('size'),
    modificationTime: fields.integerOrNull('modificationTime') ?? 0,
    dataChange: fields.boolean('dataChange') ?? true,
    stats: fields.textOrNull('stats'),
    tags: fields.map('tags'),
  };
}

function toRemove(fields: Fields): RemoveFile {
  if (fields.object('deletionVector')) throw new DeltaUnsupportedError('a file has a deletion vector');
  return {
    path: fields.text('path'),
    deletionTimestamp: fields.integerOrNull('deletionTimestamp'),
    dataChange: fields.boolean('dataChange') ?? true,
    extendedFileMetadata: fields.boolean('extendedFileMetadata') ?? false,
    partitionValues: fields.map('partitionValues'),
    size: fields.integerOrNull('size'),
  };
}

function toTransaction(fields: Fields): Transaction {
  return {
    appId: fields.text('appId'),
    version: fields.bigint('version'),
    lastUpdated: fields.integerOrNull('lastUpdated'),
  };
}

function toMetadata(fields: Fields): TableMetadata {
  const provider = fields.object('format')?.text('provider');
  if (provider !== 'parquet') throw new DeltaUnsupportedError(`its files are ${provider ?? 'of an unknown format'}`);
  const configuration = Object.entries(fields.map('configuration') ?? {});
  return {
    id: fields.text('id'),
    name: fields.textOrNull('name'),
    description: fields.textOrNull('description'),
    schemaString: fields.text('schemaString'),
    partitionColumns: fields.texts('partitionColumns'),
    configuration: Object.fromEntries(configuration.map(([key, value]) => [key, value ?? ''])),
    createdTime: fields.integerOrNull('createdTime'),
  };
}

/** An object of unknown fields, read by type. Every method throws DeltaFormatError for a value of another type. */
export class Fields {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #name: string;

  constructor(value: unknown, name: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new DeltaFormatError(`${name} holds something else than an object`);
    this.#fields = value as Readonly<Record<string, unknown>>;
    this.#name = name;
  }

  /** Null when there is no such field. */
  object(field: string): Fields | null {
    const value = this.#optional(field);
    return value === null ? null : new Fields(value, `${this.#name}: ${field}`);
  }

  has(field: string): boolean {
    return this.#optional(field) !== null;
  }

  text(field: string): string {
    return this.textOrNull(field) ?? this.#fail(field, 'is missing');
  }

  textOrNull(field: string): string | null {
    const value = this.#optional(field);
    return value === null || typeof value === 'string' ? value : this.#fail(field, 'is not text');
  }

  texts(field: string): readonly string[] {
    const value = this.#optional(field);
    if (Array.isArray(value) && value.every((item): item is string => typeof item === 'string')) return value;
    return this.#fail(field, 'is not a list of texts');
  }

  boolean(field: string): boolean | null {
    const value = this.#optional(field);
    return value === null || typeof value === 'boolean' ? value : this.#fail(field, 'is neither true nor false');
  }

  bigint(field: string): bigint {
    const value = this.#optional(field);
    if (typeof value === 'bigint') return value;
    return typeof value === 'number' && Number.isSafeInteger(value)
      ? BigInt(value)
      : this.#fail(field, 'is not a whole number');
  }

  integer(field: string): number {
    const value = Number(this.bigint(field));
    return Number.isSafeInteger(value) ? value : this.#fail(field, 'is beyond 2^53');
  }

  integerOrNull(field: string): number | null {
    return this.#optional(field) === null ? null : this.integer(field);
  }

  /** A map of texts; null when there is none. */
  map(field: string): Readonly<Record<string, string | null>> | null {
    const value = this.object(field);
    if (!value) return null;
    const names = Object.keys(value.#fields);
    return Object.fromEntries(names.map((name) => [name, value.textOrNull(name)]));
  }

  #optional(field: string): unknown {
    return Object.hasOwn(this.#fields, field) ? (this.#fields[field] ?? null) : null;
  }

  #fail(field: string, problem: string): never {
    throw new DeltaFormatError(`${this.#name}: ${field} ${problem}`);
  }
}
