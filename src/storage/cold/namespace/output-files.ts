import { randomUUID } from 'node:crypto';
import type { StoredGroup } from '../parquet/file-writer.js';
import { inTurns } from '../parquet/steps.js';
import type { Zstd } from '../parquet/zstd.js';
import { type CopiedFile, createFileEncoder, type FileEncoder } from '../rows/data-file-encoder.js';
import type { RowKind } from '../rows/row-kind.js';
import type { TableName } from '../rows/table-name.js';
import { type DataFile, describeFile, type FlushEnd, type FlushStamp, flushEnds } from './data-file.js';
import type { DataFileStore } from './file-store.js';

/** Boundaries that a compacted file keeps of the flushes in it. */
const MAX_BOUNDARIES = 48;

/** Options of files that take the place of others. */
export interface OutputFilesOptions<T, K> {
  readonly table: TableName;
  readonly rows: RowKind<T, K>;
  readonly day: string;
  /** They hold the same rows as those; else rows were changed on the way. */
  readonly isCompacted: boolean;
  /** The number of files, and the bytes and rows of all of them at most. */
  readonly most: { readonly files: number; readonly bytes: number; readonly rows: number };
  readonly stamp: FlushStamp;
  readonly zstd: Zstd;
  readonly files: DataFileStore;
}

/** Writes rows that come in order into files of about the same size. Holds one of them in memory. */
export class OutputFiles<T, K extends { readonly position: bigint }> {
  readonly #options: OutputFilesOptions<T, K>;
  readonly #made: DataFile[] = [];
  #encoder: FileEncoder<T, K> | null = null;
  #last: K | null = null;

  constructor(options: OutputFilesOptions<T, K>) {
    this.#options = options;
  }

  /** Files that were stored, or are about to be. */
  get made(): readonly DataFile[] {
    return this.#made;
  }

  async add(record: T, key: K): Promise<void> {
    const { rows } = this.#options;
    // states of one record stay together
    if (this.#isFull() && this.#last !== null && rows.compare(this.#last, key) !== 0) await this.end();
    this.#open().add(record, key);
    this.#last = key;
  }

  /** Begins to take all row groups of a file as they are, into one file. */
  async copying(file: CopiedFile): Promise<{ add(group: StoredGroup): void }> {
    if (this.#isFull()) await this.end();
    this.#last = null;
    return this.#open().copying(file);
  }

  #open(): FileEncoder<T, K> {
    const { rows, zstd } = this.#options;
    this.#encoder ??= createFileEncoder({ kind: rows, zstd });
    return this.#encoder;
  }

  /** The last file takes the rest, so that none comes out small. */
  #isFull(): boolean {
    const { most } = this.#options;
    const encoder = this.#encoder;
    if (encoder === null || this.#made.length >= most.files - 1) return false;
    return encoder.sizeBytes() * most.files >= most.bytes || encoder.rows * most.files >= most.rows;
  }

  /** Stores the open file. */
  async end(): Promise<void> {
    if (this.#encoder === null) return;
    const encoder = this.#encoder;
    this.#encoder = null;
    const { table, day, isCompacted, stamp, files } = this.#options;
    const encoded = await inTurns(encoder.finishing());
    // one file names them: all are committed together
    const own = this.#made.length === 0 ? stamp : { ...stamp, boundaries: [] };
    const file = describeFile(encoded, { id: randomUUID(), day, isCompacted }, own);
    this.#made.push(file);
    await files.put(table, file, encoded);
  }
}

/** The stamp of files that take the place of others: of the flushes that wrote those. */
export function stampOf(inputs: readonly DataFile[], writtenMs: number): FlushStamp {
  let flushThrough = 0n;
  const byPosition = new Map<bigint, FlushEnd>();
  for (const file of inputs) {
    if (file.flushThrough > flushThrough) flushThrough = file.flushThrough;
    for (const end of flushEnds(file)) byPosition.set(end.position, end);
  }
  const last = byPosition.get(flushThrough);
  byPosition.delete(flushThrough);
  const ends = [...byPosition.values()].sort((a, b) => (a.position < b.position ? -1 : 1));
  return { flushThrough, boundaryMs: last?.ms ?? null, writtenMs, boundaries: thinned(ends) };
}

/** Evenly, the last one kept. */
function thinned(ends: readonly FlushEnd[]): FlushEnd[] {
  const step = Math.ceil(ends.length / MAX_BOUNDARIES);
  return ends.filter((_, place) => (ends.length - 1 - place) % Math.max(1, step) === 0);
}
