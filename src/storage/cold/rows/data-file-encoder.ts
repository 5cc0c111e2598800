import { InvalidArgumentError } from '../../../core/errors.js';
import type { Hex } from '../../../core/hex.js';
import type { FileStats } from '../delta/stats.js';
import { createIdIndexBuilder, type EncodedIdIndex } from '../id-index/builder.js';
import { type Entries, MAX_ENTRIES } from '../id-index/entries.js';
import {
  createParquetEncoder,
  type EncodedGroup,
  type RowGroupLimits,
  type StoredGroup,
} from '../parquet/file-writer.js';
import type { Steps } from '../parquet/steps.js';
import type { Zstd } from '../parquet/zstd.js';
import { type FileSummary, SummaryCollector } from './file-summary.js';
import type { TermKind } from './index-terms.js';
import type { RowKind } from './row-kind.js';

/** A data file, ready to be stored. */
export interface EncodedFile {
  readonly bytes: Uint8Array;
  /** The part of the file's end that `readFooter` needs. */
  readonly footerBytes: number;
  readonly rows: number;
  /** The index of its message ids; null for kinds without ids. */
  readonly index: EncodedIdIndex | null;
  /** The kinds of terms that the index has of all rows. */
  readonly termKinds: readonly TermKind[];
  readonly stats: FileStats;
  readonly summary: FileSummary;
}

/** A file of the same kind with the same columns, and terms of all rows in its index. */
export interface CopiedFile {
  readonly rows: number;
  readonly stats: FileStats;
  readonly summary: FileSummary;
  /** The entries of its index; null for kinds without ids. */
  readonly entries: Entries | null;
}

/** Makes one data file of records that come in order. */
export interface FileEncoder<T, K> {
  /**
   * `key`: of the record, when it is known.
   * @throws InvalidArgumentError when the record does not belong after the one before.
   */
  add(record: T, key?: K): void;
  /** Begins to take the row groups of another file, all of them, whose rows come after those before. */
  copying(file: CopiedFile): { add(group: StoredGroup): void };
  readonly rows: number;
  /** Compressed bytes so far, about. */
  sizeBytes(): number;
  /**
   * Ends the file, in steps: a large one takes a second. The encoder is spent.
   * @throws InvalidArgumentError without rows.
   */
  finishing(): Steps<EncodedFile>;
}

/** Options of a file encoder. */
export interface FileEncoderOptions<T, K> {
  readonly kind: RowKind<T, K>;
  readonly zstd: Zstd;
  readonly limits?: RowGroupLimits;
}

/**
 * Synchronous and made for one core: about 25 microseconds a record. A caller that adds many yields to the event loop
 * in between. Rows of one order key (an older and a newer state of one record) are kept, in the order they come.
 */
export function createFileEncoder<T, K extends { readonly position: bigint }>({
  kind,
  zstd,
  limits,
}: FileEncoderOptions<T, K>): FileEncoder<T, K> {
  const parquet = createParquetEncoder({ columns: kind.columns, zstd, ...(limits && { limits }) });
  const collector = new SummaryCollector(kind);
  const index = new GroupedIds(parquet.groupRows);
  let rows = 0;
  let last: K | undefined;

  return {
    add(record, key = kind.keyOf(record)) {
      if (last !== undefined && kind.compare(last, key) > 0)
        throw new InvalidArgumentError(`rows of ${kind.table} come out of order`, {
          details: { position: String(key.position) },
        });
      last = key;
      rows += 1;
      const values = kind.encode(record, key);
      parquet.add(values, kind.sizeOf(record));
      collector.add(key, values);
      index.add(kind.indexedId(key), kind.termsOf(record, key));
    },
    copying(file) {
      parquet.endGroup();
      rows += file.rows;
      last = undefined;
      collector.addFile(file.stats, file.summary);
      index.addFile(file.entries);
      return {
        add(group) {
          parquet.copy(group);
          index.passGroup();
        },
      };
    },
    get rows() {
      return rows;
    },
    sizeBytes: () => parquet.sizeBytes(),
    finishing,
  };

  function* finishing(): Steps<EncodedFile> {
    if (rows === 0) throw new InvalidArgumentError('a file has at least one row');
    const { bytes, footerBytes, groups } = yield* parquet.finishing();
    return {
      bytes,
      footerBytes,
      rows,
      index: yield* index.finishing(groups),
      termKinds: index.hasTerms ? kind.termKinds : [],
      stats: collector.stats(),
      summary: collector.summary(),
    };
  }
}

/** The entries of an index from which on it takes ids alone: a file of them all must find room. */
export const MAX_TERM_ENTRIES = MAX_ENTRIES / 2;

/** Learns the row groups of ids and terms as they are finished: a row's group is known only then. */
class GroupedIds {
  readonly #groupRows: readonly number[];
  readonly #builder = createIdIndexBuilder();
  #waiting: { readonly id: Hex | null; readonly terms: readonly string[] }[] = [];
  #group = 0;
  #any = false;
  #hasTerms = true;

  /** `groupRows`: grows with every row group. */
  constructor(groupRows: readonly number[]) {
    this.#groupRows = groupRows;
  }

  /** Whether the terms of all rows are in the index. */
  get hasTerms(): boolean {
    return this.#any && this.#hasTerms;
  }

  add(id: Hex | null, terms: readonly string[]): void {
    this.#waiting.push({ id, terms });
    this.#settle();
  }

  /** Takes the entries of a file whose row groups come next. */
  addFile(entries: Entries | null): void {
    this.#settle();
    if (entries === null) return;
    this.#builder.addAll(entries, this.#group);
    this.#any = true;
  }

  /** Passes over a row group whose entries are there. */
  passGroup(): void {
    this.#group += 1;
  }

  /** Null when no row had an id. */
  *finishing(groups: readonly EncodedGroup[]): Steps<EncodedIdIndex | null> {
    this.#settle();
    return this.#any ? yield* this.#builder.finishing(groups) : null;
  }

  #settle(): void {
    for (let rows = this.#groupRows[this.#group]; rows !== undefined; rows = this.#groupRows[this.#group]) {
      const settled = this.#waiting.slice(0, rows);
      for (const { id } of settled) {
        if (id === null) continue;
        this.#builder.add(id, this.#group);
        this.#any = true;
      }
      this.#hasTerms &&= this.#builder.entries < MAX_TERM_ENTRIES;
      // rows of a row group share most of them
      const terms = this.#hasTerms ? new Set(settled.flatMap((row) => row.terms)) : [];
      for (const term of terms) this.#builder.add(term, this.#group);
      this.#waiting = this.#waiting.slice(rows);
      this.#group += 1;
    }
  }
}
