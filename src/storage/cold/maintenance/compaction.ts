import type { Common } from '../../../core/common.js';
import { AbortedError, toError } from '../../../core/errors.js';
import { nextTurn } from '../../../core/event-loop.js';
import { mapInParallel } from '../../../core/parallel.js';
import { hashId } from '../id-index/hash.js';
import type { Catalog } from '../namespace/catalog.js';
import type { DataFile } from '../namespace/data-file.js';
import type { DataFileReader, TableRows } from '../namespace/file-reader.js';
import type { DataFileStore } from '../namespace/file-store.js';
import type { Survey } from '../namespace/unnamed.js';
import { type ListTable, MESSAGE_TABLE, type NamespaceView, RESULT_TABLE } from '../namespace/view.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { ObjectNotFoundError } from '../object-store/object-store-errors.js';
import type { Zstd } from '../parquet/zstd.js';
import { LEDGER_TABLE, type LedgerReads } from '../read/ledger-reads.js';
import type { LedgerChange, LedgerRowKey } from '../rows/ledger.js';
import type { RowKey } from '../rows/row-kind.js';
import type { TableName } from '../rows/table-name.js';
import { type CompactionGroup, filesFor, overlaysFor } from './compaction-plan.js';
import { FileScan } from './file-scan.js';
import { mergeFiles } from './merge-files.js';
import { OutputFiles, stampOf } from './output-files.js';

const PARALLEL_FILTERS = 16;

/** The outcome of one group. */
export interface GroupResult {
  readonly removed: readonly DataFile[];
  readonly added: readonly DataFile[];
  readonly rowsDropped: number;
}

export interface GroupOptions {
  readonly full: boolean;
  readonly signal?: AbortSignal;
  /** Told of every so many rows that were read. */
  readonly onRows?: (rows: number) => void;
}

/** The rules by which a table's rows are merged. */
interface Merging<T, K extends { readonly position: bigint }> extends TableRows<T, K> {
  readonly startOf: (file: DataFile) => number | bigint;
  readonly placeOf: (key: K) => number | bigint;
  /** False for a row that another one supersedes, wherever that is. */
  readonly holds: (key: K) => boolean;
  /** True for a row of an overlay file that may supersede one in a file which is not merged. */
  readonly staysOverlay: (key: K) => boolean;
}

/**
 * Merges a group of files into new ones and has those committed in their place
 *
 *     read, merged → stored and read back → committed: the new files are in the table, the old ones are not
 *                                             └ lost: one of them was taken by someone else; the new files are deleted
 *
 * The result is right beside any other commit: a row is dropped only because a superseding one is committed, and
 * committed rows never vanish; a flush that comes later supersedes by position wherever the row is. Cut off anywhere,
 * the table is as before, or as after; new files that no log names are for the vacuum.
 */
export class Compaction {
  readonly #store: ObjectStore;
  readonly #zstd: Zstd;
  readonly #common: Common;
  readonly #catalog: Catalog;
  readonly #reader: DataFileReader;
  readonly #ledger: LedgerReads;
  readonly #files: DataFileStore;
  readonly #keyOf: (table: TableName, path: string) => string;
  readonly #compactBytes: number;

  constructor(parts: {
    readonly store: ObjectStore;
    readonly zstd: Zstd;
    readonly common: Common;
    readonly catalog: Catalog;
    readonly reader: DataFileReader;
    readonly ledger: LedgerReads;
    readonly files: DataFileStore;
    readonly keyOf: (table: TableName, path: string) => string;
    readonly compactBytes: number;
  }) {
    this.#store = parts.store;
    this.#zstd = parts.zstd;
    this.#common = parts.common;
    this.#catalog = parts.catalog;
    this.#reader = parts.reader;
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
    if (!group.base.every(({ uri }) => present.has(uri))) return null;
    const overlays =
      group.base.length > 0
        ? overlaysFor(view.tables[table], group, options)
        : group.overlays.filter(({ uri }) => present.has(uri));
    const inputs = [...group.base, ...overlays];
    if (inputs.length === 0) return null;
    switch (table) {
      case 'messages':
        return await this.#merge(
          await this.#listMerging(MESSAGE_TABLE, view, inputs),
          survey,
          group.day,
          inputs,
          options,
        );
      case 'verifier_results':
        return await this.#merge(
          await this.#listMerging(RESULT_TABLE, view, inputs),
          survey,
          group.day,
          inputs,
          options,
        );
      case 'ledger':
        return await this.#merge(await this.#ledgerMerging(view), survey, group.day, inputs, options);
    }
  }

  async #listMerging<T, K extends RowKey>(
    list: ListTable<T, K>,
    view: NamespaceView,
    inputs: readonly DataFile[],
  ): Promise<Merging<T, K>> {
    const { files, overlay } = view.tables[list.table];
    const merged = new Set(inputs.map(({ uri }) => uri));
    const overlays = inputs.filter((file) => file.overlay);
    const fromMs = Math.min(...overlays.map(({ stats }) => Number(stats.minValues['first_ms'] ?? -1)));
    const toMs = Math.max(...overlays.map(({ maxMs }) => maxMs));
    const around = files.filter(({ uri, minMs, maxMs }) => !merged.has(uri) && minMs <= toMs && maxMs >= fromMs);
    const others = await mapInParallel(around, PARALLEL_FILTERS, async (file) => ({
      file,
      mayContain: await this.#reader.filter(list.table, file),
    }));
    return {
      ...list,
      startOf: ({ minMs }) => minMs,
      placeOf: ({ ingestionMs }) => ingestionMs,
      holds: (key) => !overlay.supersedes(key, view.position),
      staysOverlay: ({ messageId, firstMs, ingestionMs }) => {
        const hash = hashId(messageId);
        // earlier states of a record lie between its first time and its present one
        return others.some(
          ({ file, mayContain }) => file.minMs <= ingestionMs && file.maxMs >= firstMs && mayContain(hash),
        );
      },
    };
  }

  async #ledgerMerging(view: NamespaceView): Promise<Merging<LedgerChange, LedgerRowKey>> {
    const holds = await this.#ledger.holdTest(view);
    return {
      ...LEDGER_TABLE,
      startOf: ({ minPosition }) => minPosition,
      placeOf: ({ position }) => position,
      holds: ({ kind, identity, position }) => holds(kind, identity, position),
      staysOverlay: () => false,
    };
  }

  async #merge<T, K extends { readonly position: bigint }>(
    merging: Merging<T, K>,
    survey: Survey,
    day: string,
    inputs: readonly DataFile[],
    { signal, onRows }: GroupOptions,
  ): Promise<GroupResult | null> {
    const { table, rows } = merging;
    const most = {
      files: filesFor(inputs, this.#compactBytes),
      bytes: inputs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      rows: inputs.reduce((sum, file) => sum + file.rows, 0),
    };
    const outputOf = (overlay: boolean) =>
      new OutputFiles({
        table,
        rows,
        day,
        overlay,
        most,
        stamp: stampOf(inputs, this.#common.clock.nowMs()),
        zstd: this.#zstd,
        files: this.#files,
      });
    const [base, overlay] = [outputOf(false), outputOf(true)];
    const scanParts = { store: this.#store, zstd: this.#zstd, keyOf: this.#keyOf };
    const scan = (file: DataFile) => new FileScan(scanParts, table, rows, file, inputs.length);
    let rowsDropped = 0;
    try {
      for await (const batch of mergeFiles({ ...merging, files: inputs, scan })) {
        for (const { record, key, file } of batch)
          if (!merging.holds(key)) rowsDropped += 1;
          else await (file.overlay && merging.staysOverlay(key) ? overlay : base).add(record, key);
        if (signal?.aborted) throw new AbortedError('compaction', { cause: signal.reason });
        onRows?.(batch.length);
        await nextTurn();
      }
      await base.end();
      await overlay.end();
    } catch (thrown) {
      await this.#discard(table, [...base.made, ...overlay.made]);
      if (thrown instanceof ObjectNotFoundError && !(await this.#isThere(table, inputs))) return null;
      throw thrown;
    }
    const added = [...base.made, ...overlay.made];
    // after an error here they may be in the table: the vacuum will know
    if (await this.#catalog.replace(survey, { table, removed: inputs, added }))
      return { removed: inputs, added, rowsDropped };
    await this.#discard(table, added);
    return null;
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
