import type { ResolvedRange } from '../../../model/list-query.js';
import { compareOrderKeys, type OrderKey } from '../../../model/order.js';
import type { DataFile } from '../namespace/data-file.js';
import type { DataFileReader } from '../namespace/file-reader.js';
import type { ListTable } from '../namespace/record-tables.js';
import type { RowKey } from '../rows/row-kind.js';
import { groupsWith } from './contents-pruning.js';
import { admitsRow, groupsIn } from './range-pruning.js';

const MAX_GROUPS_AT_ONCE = 64;

/** A row of a list and where it was found; `record` when it was read already. */
export interface FoundRow<T, K> {
  readonly key: K;
  readonly file: DataFile;
  readonly group: number;
  readonly row: number;
  readonly record: T | null;
}

/** The question that a list is read for. */
export interface CursorOptions<T, K extends RowKey> {
  readonly list: ListTable<T, K>;
  readonly reader: DataFileReader;
  readonly range: ResolvedRange;
  readonly after: OrderKey | null;
  /** Whether a record has the contents of the range; null: all have. Rows are then told from records alone. */
  readonly passes: ((record: T) => boolean) | null;
  /** Most rows that are read will be in the answer: read records at once, not keys first. */
  readonly dense: boolean;
  /** The contents still to be read: keys alone once it is spent. Shared by the files of one read. */
  readonly budget: ByteBudget;
}

/** Bytes of contents that a read may still take; `Infinity` without a limit. */
export interface ByteBudget {
  leftBytes: number;
}

/** Goes through the listed rows of one file in their order, some row groups at a time. */
export class FileCursor<T, K extends RowKey> {
  readonly #options: CursorOptions<T, K>;
  readonly #file: DataFile;
  #groups:
    | { readonly group: number; readonly rows: number; readonly minMs: number; readonly sizeBytes: number }[]
    | null = null;
  #rows: FoundRow<T, K>[] = [];
  #next = 0;

  constructor(file: DataFile, options: CursorOptions<T, K>) {
    this.#file = file;
    this.#options = options;
  }

  /** The row that comes next, when it is loaded. */
  get head(): FoundRow<T, K> | undefined {
    return this.#rows[this.#next];
  }

  /** No row that is not loaded yet has a lower ingestion time; Infinity when all are loaded. */
  get boundMs(): number {
    if (this.#groups === null) return this.#file.minMs;
    return this.#groups[0]?.minMs ?? Number.POSITIVE_INFINITY;
  }

  /** Moves past `head`. */
  advance(): void {
    this.#next += 1;
  }

  /**
   * Loads row groups until `wanted` rows are there, as far as row counts tell. At least one row group, if there is
   * one.
   */
  async load(wanted: number): Promise<void> {
    const { reader, list } = this.#options;
    this.#groups ??= await this.#findGroups();
    const { dense, budget, passes } = this.#options;
    const readsRecords = passes !== null || (dense && budget.leftBytes > 0);
    const taken: number[] = [];
    let bytes = 0;
    for (let rows = 0; rows < wanted && taken.length < MAX_GROUPS_AT_ONCE; ) {
      if (readsRecords && taken.length > 0 && bytes >= budget.leftBytes) break;
      const group = this.#groups.shift();
      if (!group) break;
      taken.push(group.group);
      rows += group.rows;
      bytes += group.sizeBytes;
    }
    if (taken.length === 0) return;
    const rows = this.#rows.slice(this.#next);
    if (readsRecords) {
      const groups = await reader.records(list, this.#file, taken);
      for (const [place, records] of groups.entries()) {
        for (const record of records) budget.leftBytes -= list.rows.sizeOf(record);
        this.#keep(
          rows,
          taken[place] ?? 0,
          records.map((record) => list.rows.keyOf(record)),
          records,
        );
      }
    } else {
      const groups = await reader.keys(list, this.#file, taken);
      for (const [place, keys] of groups.entries()) this.#keep(rows, taken[place] ?? 0, keys, null);
    }
    this.#rows = rows;
    this.#next = 0;
  }

  async #findGroups() {
    const { reader, list, range, after } = this.#options;
    const footer = await reader.footer(list.table, this.#file);
    const mayHold = await groupsWith(reader, list.table, this.#file, range);
    const startMs = Math.max(range.startMs, after?.ingestionMs ?? 0);
    const groups = groupsIn(footer, startMs, range.endMs).filter(({ group }) => mayHold(group));
    return groups.map(({ group, minMs }) => ({
      group,
      minMs,
      rows: footer.groupRows(group),
      sizeBytes: footer.groupRange(group).endExclusive - footer.groupRange(group).start,
    }));
  }

  #keep(rows: FoundRow<T, K>[], group: number, keys: readonly K[], records: readonly T[] | null): void {
    const { range, after, passes } = this.#options;
    for (const [row, key] of keys.entries()) {
      if (!admitsRow(range, key) || (after !== null && compareOrderKeys(key, after) <= 0)) continue;
      const record = records?.[row] ?? null;
      if (passes !== null && (record === null || !passes(record))) continue;
      rows.push({ key, file: this.#file, group, row, record });
    }
  }
}
