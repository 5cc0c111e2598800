import type { Common } from '../../../core/common.js';
import { AbortedError, toError } from '../../../core/errors.js';
import { nextTurn } from '../../../core/event-loop.js';
import { IdIndexFormatError } from '../id-index/id-index-format-error.js';
import { readEntries } from '../id-index/index-head.js';
import type { Catalog } from '../namespace/catalog.js';
import type { DataFile } from '../namespace/data-file.js';
import type { TableRows } from '../namespace/file-reader.js';
import { FileScan } from '../namespace/file-scan.js';
import type { DataFileStore } from '../namespace/file-store.js';
import { OutputFiles, stampOf } from '../namespace/output-files.js';
import { RECORD_TABLES } from '../namespace/record-tables.js';
import type { Survey } from '../namespace/unnamed.js';
import type { NamespaceView } from '../namespace/view.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { ObjectNotFoundError } from '../object-store/object-store-errors.js';
import type { Zstd } from '../parquet/zstd.js';
import { LEDGER_TABLE, type LedgerReads } from '../read/ledger-reads.js';
import type { LedgerEntry, LedgerRowKey } from '../rows/ledger.js';
import type { RecordKey } from '../rows/row-kind.js';
import type { TableName } from '../rows/table-name.js';
import { type CompactionGroup, filesFor } from './compaction-plan.js';
import { mergeFiles } from './merge-files.js';
import { type MergePart, partsOf } from './merge-parts.js';

/** Rows of records: all of them hold. */
const BY_TIME = {
  startOf: ({ minMs }: DataFile) => minMs,
  placeOf: ({ ingestionMs }: RecordKey) => ingestionMs,
  holds: () => true,
};

/** The outcome of one group. */
export interface GroupResult {
  readonly removed: readonly DataFile[];
  readonly added: readonly DataFile[];
  readonly rowsDropped: number;
}

export interface GroupOptions {
  readonly signal?: AbortSignal;
  /** Told of every so many rows that were read. */
  readonly onRows?: (rows: number) => void;
}

/** The rules by which a table's rows are merged. */
interface Merging<T, K extends { readonly position: bigint }> extends TableRows<T, K> {
  readonly startOf: (file: DataFile) => number | bigint;
  readonly placeOf: (key: K) => number | bigint;
  /** False for a row that says nothing any more. */
  readonly holds: (key: K) => boolean;
}

/**
 * Merges a group of files into new ones and has those committed in their place
 *
 *     copied, or read and merged → stored and read back
 *                                  → committed: the new files are in the table, the old ones are not
 *                                  └ lost: one of them was taken by someone else; the new files are deleted
 *
 * The result is right beside any other commit, because every row of its files is in the new ones; of the ledger those
 * are left out that a later row stands for, and committed rows never vanish. Cut off anywhere, the table is as before,
 * or as after; new files that no log names are for the vacuum.
 */
export class Compaction {
  readonly #store: ObjectStore;
  readonly #zstd: Zstd;
  readonly #common: Common;
  readonly #catalog: Catalog;
  readonly #ledger: LedgerReads;
  readonly #files: DataFileStore;
  readonly #keyOf: (table: TableName, path: string) => string;
  readonly #compactBytes: number;

  constructor(parts: {
    readonly store: ObjectStore;
    readonly zstd: Zstd;
    readonly common: Common;
    readonly catalog: Catalog;
    readonly ledger: LedgerReads;
    readonly files: DataFileStore;
    readonly keyOf: (table: TableName, path: string) => string;
    readonly compactBytes: number;
  }) {
    this.#store = parts.store;
    this.#zstd = parts.zstd;
    this.#common = parts.common;
    this.#catalog = parts.catalog;
    this.#ledger = parts.ledger;
    this.#files = parts.files;
    this.#keyOf = parts.keyOf;
    this.#compactBytes = parts.compactBytes;
  }

  /**
   * Null when the group is not there any more: another writer was first.
   * @throws AbortedError, ReadBackError, DeltaFormatError, ParquetFormatError, and the errors of the object
   * store.
   */
  async run(
    survey: Survey,
    table: TableName,
    group: CompactionGroup,
    options: GroupOptions,
  ): Promise<GroupResult | null> {
    const { view } = survey;
    const present = new Set(view.tables[table].files.map(({ uri }) => uri));
    if (!group.files.every(({ uri }) => present.has(uri))) return null;
    return table === 'ledger'
      ? await this.#merge(await this.#ledgerMerging(view), survey, group, options)
      : await this.#merge({ ...RECORD_TABLES[table], ...BY_TIME }, survey, group, options);
  }

  async #ledgerMerging(view: NamespaceView): Promise<Merging<LedgerEntry, LedgerRowKey>> {
    const holds = await this.#ledger.holdTest(view);
    return {
      ...LEDGER_TABLE,
      startOf: ({ minPosition }) => minPosition,
      placeOf: ({ position }) => position,
      holds,
    };
  }

  async #merge<T, K extends { readonly position: bigint }>(
    merging: Merging<T, K>,
    survey: Survey,
    { day, files: inputs }: CompactionGroup,
    { signal, onRows }: GroupOptions,
  ): Promise<GroupResult | null> {
    const { table, rows } = merging;
    const most = {
      files: filesFor(inputs, this.#compactBytes),
      bytes: inputs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      rows: inputs.reduce((sum, file) => sum + file.rows, 0),
    };
    const output = new OutputFiles({
      ...{ table, rows, day, most, isCompacted: true, zstd: this.#zstd, files: this.#files },
      stamp: stampOf(inputs, this.#common.clock.nowMs()),
    });
    const scanParts = { store: this.#store, zstd: this.#zstd, keyOf: this.#keyOf };
    const scan = (file: DataFile) => new FileScan(scanParts, table, rows, file, { together: inputs.length });
    const pause = async (rowsRead: number) => {
      if (signal?.aborted) throw new AbortedError('compaction', { cause: signal.reason });
      onRows?.(rowsRead);
      await nextTurn();
    };
    let rowsDropped = 0;
    try {
      // rows of the ledger may say nothing any more
      const whole = [{ kind: 'merged', files: inputs }] as const;
      for (const part of table === 'ledger' ? whole : await partsOf(rows, inputs, scan)) {
        if (part.kind === 'copied') {
          await this.#copy(table, part, output, pause);
          continue;
        }
        for await (const batch of mergeFiles({ ...merging, files: part.files, scan })) {
          for (const { record, key } of batch)
            if (merging.holds(key)) await output.add(record, key);
            else rowsDropped += 1;
          await pause(batch.length);
        }
      }
      await output.end();
    } catch (thrown) {
      await this.#discard(table, output.made);
      if (thrown instanceof ObjectNotFoundError && !(await this.#isThere(table, inputs))) return null;
      throw thrown;
    }
    const added = output.made;
    // after an error here they may be in the table: the vacuum will know
    if (await this.#catalog.replace(survey, { table, removed: inputs, added }))
      return { removed: inputs, added, rowsDropped };
    await this.#discard(table, added);
    return null;
  }

  /** Copies the row groups of a file and the entries of its index, without a look at their rows. */
  async #copy<T, K extends { readonly position: bigint }>(
    table: TableName,
    { file, scan }: Extract<MergePart<T, K>, { readonly kind: 'copied' }>,
    output: OutputFiles<T, K>,
    pause: (rows: number) => Promise<void>,
  ): Promise<void> {
    const entries = readEntries(await this.#store.get(this.#keyOf(table, file.index?.path ?? '')));
    const { groups } = await scan.footer();
    if (entries.rowGroup.some((group) => group >= groups))
      throw new IdIndexFormatError('it is the index of another file');
    const target = await output.copying({ rows: file.rows, stats: file.stats, summary: file, entries });
    for (let group = await scan.nextStored(); group; group = await scan.nextStored()) {
      target.add(group);
      await pause(group.place.rows);
    }
  }

  /** False when another writer has taken one of them; a file of the table that is gone from the store is lost. */
  async #isThere(table: TableName, files: readonly DataFile[]): Promise<boolean> {
    const present = new Set((await this.#catalog.refresh()).tables[table].files.map(({ uri }) => uri));
    return files.every(({ uri }) => present.has(uri));
  }

  /** Deletes files that no log names. */
  async #discard(table: TableName, files: readonly DataFile[]): Promise<void> {
    const paths = files.flatMap(({ path, index }) => (index ? [path, index.path] : [path]));
    if (paths.length === 0) return;
    try {
      await this.#store.deleteMany(paths.map((path) => this.#keyOf(table, path)));
    } catch (thrown) {
      this.#common.log.debug({ err: toError(thrown), table }, 'files of a lost compaction are left to the vacuum');
    }
  }
}
