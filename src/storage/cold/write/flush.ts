import type { Common } from '../../../core/common.js';
import { allOf } from '../../../core/parallel.js';
import { identityOfChange } from '../../../model/identity.js';
import type { Catalog } from '../namespace/catalog.js';
import { type DataFile, type FlushStamp, readFileEntry } from '../namespace/data-file.js';
import { FlushBusyError, FlushPutOffError } from '../namespace/namespace-errors.js';
import { nextView } from '../namespace/next-view.js';
import type { PreparedFlush } from '../namespace/prepared.js';
import { RECORD_TABLES } from '../namespace/record-tables.js';
import { addedFiles, dirtyTables, type Survey } from '../namespace/unnamed.js';
import { ceilingMs, type NamespaceView } from '../namespace/view.js';
import { LEDGER_TABLE, type LedgerReads } from '../read/ledger-reads.js';
import type { LedgerEntry } from '../rows/ledger.js';
import { type RecordChange, returnOf } from '../rows/orphan-return.js';
import { byTable, NAMED_TABLES, ofNamedTables, TABLE_NAMES, type TableName } from '../rows/table-name.js';
import type { FlushContent, FlushPlan } from './change-buffer.js';
import {
  planRecordChanges,
  storeRecordChanges,
  storeRows,
  type TableChange,
  type TableChangeParts,
} from './table-changes.js';

/** The outcome of a flush. */
export interface FlushResult {
  readonly view: NamespaceView;
  /** Rows of its changes. */
  readonly rows: number;
  /** Bytes of data files and indexes, with rows that were copied. */
  readonly bytes: number;
}

/**
 * Makes changes part of the namespace: files are stored and read back, then committed.
 *
 *     changes → records to the files of their table, orphaned ones to the ledger → stored, read back → commit
 */
export class Flush {
  readonly #name: string;
  readonly #common: Common;
  readonly #catalog: Catalog;
  readonly #ledger: LedgerReads;
  readonly #parts: TableChangeParts;
  readonly #takeoverMs: number;

  constructor(parts: {
    readonly name: string;
    readonly common: Common;
    readonly catalog: Catalog;
    readonly ledger: LedgerReads;
    readonly tableChanges: TableChangeParts;
    readonly takeoverMs: number;
  }) {
    this.#name = parts.name;
    this.#common = parts.common;
    this.#catalog = parts.catalog;
    this.#ledger = parts.ledger;
    this.#parts = parts.tableChanges;
    this.#takeoverMs = parts.takeoverMs;
  }

  /**
   * Writes changes above a state and commits them on top of it.
   * @throws DeltaConflictError, FlushBusyError, FlushPutOffError, ReadBackError, and the errors of the object store.
   * Nothing was committed, unless the store was unavailable: then a refresh tells.
   */
  async run(survey: Survey, plan: FlushPlan): Promise<FlushResult> {
    const { content } = plan;
    const base = survey.view;
    this.#checkDirty(survey);
    const clean = await this.#catalog.takeBack(survey);
    // a compaction that is not named yet is built on: its files are those to replace
    const changes = await this.#store(nextView(base, clean.tops, base.readMs), plan);
    // storing may have taken long: others wait for this flush from its commit on
    const prepared = preparedOf(content, changes, this.#common.clock.nowMs());
    for (const table of TABLE_NAMES) for (const { uri } of prepared.added[table]) this.#own.add(uri);
    const view = await this.#catalog.commit(clean, prepared, 'WRITE');
    this.#own.clear();
    const bytes = TABLE_NAMES.reduce((sum, table) => sum + changes[table].bytes, 0);
    return { view, rows: content.records.length + content.ledger.length, bytes };
  }

  /**
   * The flush in a dirty table was not committed: its writer is dead, or still flushing. A flush takes no longer than
   * the takeover time after its files were first seen, by any clock.
   */
  #checkDirty(survey: Survey): void {
    const { clock } = this.#common;
    const [nowMs, seenAtMs] = [clock.nowMs(), clock.monotonicMs()];
    const before = this.#dirtySince;
    const files = dirtyTables(survey).flatMap(addedFiles);
    this.#dirtySince = new Map(files.map(({ path }) => [path, before.get(path) ?? seenAtMs]));
    for (const { path, modificationTime } of files) {
      const sinceMs = this.#dirtySince.get(path) ?? seenAtMs;
      const waitMs = this.#takeoverMs + Math.min(modificationTime - nowMs, sinceMs - seenAtMs);
      if (waitMs > 0 && !this.#own.has(path)) throw new FlushBusyError(this.#name, waitMs);
    }
  }

  /** The times at which files of unended flushes were first seen, on the monotonic clock. */
  #dirtySince: ReadonlyMap<string, number> = new Map();

  /** Files of this instance: no other writer is flushing them. */
  readonly #own = new Set<string>();

  async #store(
    base: NamespaceView,
    { content, rewriteBytes }: FlushPlan,
  ): Promise<Readonly<Record<TableName, TableChange>>> {
    const stamp: FlushStamp = {
      flushThrough: content.head.position,
      boundaryMs: content.whole ? content.head.headMs : null,
      writtenMs: this.#common.clock.nowMs(),
    };
    const moved = content.head.movePosition > base.position;
    const planned = await ofNamedTables((table) => {
      const { kind, rows } = RECORD_TABLES[table];
      const records = content.records.flatMap((change) => (change.kind === kind ? [change.record] : []));
      const shown = records.filter(({ orphaned }) => !orphaned);
      const gone = records.filter(({ orphaned }) => orphaned).map((record) => rows.keyOf(record));
      return planRecordChanges(this.#parts, RECORD_TABLES[table], base, { shown, gone, moved });
    });
    const holders = NAMED_TABLES.flatMap((table) => planned[table].holders);
    const bytes = holders.reduce((sum, { file }) => sum + file.sizeBytes, 0);
    if (bytes > rewriteBytes) throw new FlushPutOffError(this.#name, bytes);
    const [records, ledger] = await allOf([
      ofNamedTables((table) => storeRecordChanges(this.#parts, RECORD_TABLES[table], planned[table], stamp)),
      this.#entries(base, content, moved).then((entries) => storeRows(this.#parts, LEDGER_TABLE, entries, stamp)),
    ]);
    return { ...records, ledger };
  }

  /** The rows of the ledger: its changes, the orphaned records, and those that came back. */
  async #entries(base: NamespaceView, { records, ledger }: FlushContent, moved: boolean): Promise<LedgerEntry[]> {
    const mayReturn = moved || records.some((change) => isOldExecution(change, base));
    const wasOrphaned = mayReturn ? await this.#ledger.orphanTest(base) : () => false;
    return [
      ...ledger,
      ...records.flatMap((change): LedgerEntry[] => {
        if (change.record.orphaned) return [change];
        return wasOrphaned(identityOfChange(change)) ? [returnOf(change)] : [];
      }),
    ];
  }
}

/** True when the ledger may hold an execution as orphaned: its return is no move in the lists. */
function isOldExecution({ kind, record }: RecordChange, base: NamespaceView): boolean {
  return kind === 'execution' && record.ingestionMs <= ceilingMs(base.tables.ledger);
}

function preparedOf(
  { head }: FlushContent,
  changes: Readonly<Record<TableName, TableChange>>,
  nowMs: number,
): PreparedFlush {
  const asOfNow = ({ add }: DataFile) => readFileEntry({ ...add, modificationTime: nowMs });
  return {
    head,
    added: byTable((table) => changes[table].added.map(asOfNow)),
    removed: byTable((table) => changes[table].removed),
  };
}
