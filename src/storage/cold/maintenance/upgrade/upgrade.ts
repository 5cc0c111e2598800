import type { Common } from '../../../../core/common.js';
import { AbortedError } from '../../../../core/errors.js';
import { nextTurn } from '../../../../core/event-loop.js';
import { resultIdentity } from '../../../../model/identity.js';
import type { StoredMessage, StoredVerifierResult } from '../../../../model/records.js';
import type { DeltaLog } from '../../delta/delta-log.js';
import type { Catalog } from '../../namespace/catalog.js';
import { type DataFile, dayOfFile } from '../../namespace/data-file.js';
import { FileScan, type ScanParts } from '../../namespace/file-scan.js';
import type { DataFileStore } from '../../namespace/file-store.js';
import { formatOf, headOf, type NamespaceHead, unendedHead } from '../../namespace/head.js';
import { UpgradeRefusedError } from '../../namespace/namespace-errors.js';
import { OutputFiles, stampOf } from '../../namespace/output-files.js';
import { type ListTable, MESSAGE_TABLE, RESULT_TABLE } from '../../namespace/record-tables.js';
import type { Survey } from '../../namespace/unnamed.js';
import { filesOf } from '../../namespace/view.js';
import { LEDGER_TABLE } from '../../read/ledger-reads.js';
import type { RecordChange } from '../../rows/orphan-return.js';
import { dayOf, type MessageRowKey, type RowKey, type RowKind } from '../../rows/row-kind.js';
import { byTable, TABLE_NAMES, type TableName } from '../../rows/table-name.js';
import type { MaintenanceOptions, UpgradeReport } from '../cold-maintenance.js';
import { filesFor } from '../compaction-plan.js';
import { type MergedRow, mergeFiles } from '../merge-files.js';
import { FORMAT_1_LEDGER, FORMAT_1_MESSAGES, FORMAT_1_RESULTS, SUPERSEDING_TAG } from './format-1.js';

/** A namespace of format 1. */
export interface UpgradeSource {
  readonly logs: Readonly<Record<TableName, DeltaLog>>;
  readonly scan: ScanParts;
}

/** An empty namespace, or one in which an upgrade was cut off. Its catalog reads such a one. */
export interface UpgradeTarget {
  readonly catalog: Catalog;
  readonly files: DataFileStore;
  readonly compactBytes: number;
}

/** The table of a list, in both formats. */
interface UpgradedTable<T, K extends RowKey> extends ListTable<T, K> {
  readonly oldRows: RowKind<T, K>;
}

/** The files and the head of a namespace of format 1. */
interface Source {
  readonly head: NamespaceHead;
  readonly files: Readonly<Record<TableName, readonly DataFile[]>>;
}

const MESSAGES: UpgradedTable<StoredMessage, MessageRowKey> = { ...MESSAGE_TABLE, oldRows: FORMAT_1_MESSAGES };
const RESULTS: UpgradedTable<StoredVerifierResult, RowKey> = { ...RESULT_TABLE, oldRows: FORMAT_1_RESULTS };
const NONE: Readonly<Record<TableName, readonly DataFile[]>> = byTable(() => []);

/**
 * Copies a namespace of format 1 into a new one, which is of the present format.
 *
 *     messages, then verifier_results, a day at a time: last states → files → commit
 *     ledger: its rows, and the orphaned records                    → files → commit with the head
 *
 * The source is only read. Until the last commit the new namespace has no position, and only an upgrade opens it. Cut
 * off anywhere, the next upgrade goes on after the last day that was committed.
 *
 * Memory: one file, 200 bytes for each row of format 1 that may supersede another, and the orphaned records.
 */
export class Upgrade {
  readonly #source: UpgradeSource;
  readonly #target: UpgradeTarget;
  readonly #common: Common;
  readonly #options: MaintenanceOptions;
  #rows = 0;
  #done = 0;
  #total = 0;

  constructor(source: UpgradeSource, target: UpgradeTarget, common: Common, options: MaintenanceOptions) {
    this.#source = source;
    this.#target = target;
    this.#common = common;
    this.#options = options;
  }

  /**
   * @throws UpgradeRefusedError when the source is not of format 1, or has changed since an earlier upgrade began, or
   * when the target holds anything else; AbortedError; the errors of reading and storing.
   */
  async run(): Promise<UpgradeReport> {
    const source = await this.#read();
    const { position } = source.head;
    // the end of an upgrade may not have been heard of
    if ((await this.#target.catalog.survey()).view.position === position) return { position, rows: 0, orphans: 0 };
    const { view } = await this.#survey();
    if (view.headPosition > 0n && view.headPosition !== position)
      throw new UpgradeRefusedError(
        `an upgrade began when the namespace stood at position ${view.headPosition}, and it stands at ` +
          `${position} now: stop its writers, delete the copy and begin again`,
      );
    const orphans = [...(await this.#copy(MESSAGES, source)), ...(await this.#copy(RESULTS, source))];
    await this.#copyLedger(source, orphans);
    return { position, rows: this.#rows, orphans: orphans.length };
  }

  async #read(): Promise<Source> {
    const { messages, verifier_results, ledger } = this.#source.logs;
    const last = await ledger.read();
    if (last === null) throw new UpgradeRefusedError('the place to copy from holds nothing of the namespace');
    if (formatOf(last) !== 1n)
      throw new UpgradeRefusedError(`the namespace to copy from is of format ${formatOf(last)} already`);
    const head = headOf(last);
    // files beyond the position are of a flush that was not ended
    const counting = (files: readonly DataFile[]) => files.filter(({ flushThrough }) => flushThrough <= head.position);
    return {
      head,
      files: {
        ...NONE,
        messages: counting(filesOf(await messages.read())),
        verifier_results: counting(filesOf(await verifier_results.read())),
        ledger: counting(filesOf(last)),
      },
    };
  }

  /** Copies the last states of a list's records. Returns the orphaned ones. */
  async #copy<T extends { readonly orphaned: boolean }, K extends RowKey>(list: UpgradedTable<T, K>, source: Source) {
    const { table, rows } = list;
    const files = source.files[table];
    const positions = await this.#lastPositions(list, files);
    const orphans: RecordChange[] = [];
    this.#begin(files);
    for (const day of [...new Set(files.map(dayOfFile))].sort()) {
      const { view } = await this.#survey();
      const isDone = view.tables[table].files.some((file) => dayOfFile(file) === day);
      const ofDay = files.filter((file) => dayOfFile(file) === day && (!isDone || mayHoldOrphans(file)));
      const output = this.#output(table, rows, day, ofDay);
      const merged = this.#merged(list.oldRows, ofDay, {
        startOf: ({ minMs }) => minMs,
        placeOf: ({ ingestionMs }) => ingestionMs,
      });
      let before: K | null = null;
      for await (const batch of merged)
        for (const { record, key } of batch) {
          const last = positions.get(resultIdentity(key));
          if (last !== undefined && last > key.position) continue;
          // a flush that was made twice has a state in two files
          const isTwice = before !== null && list.rows.compare(before, key) === 0;
          before = key;
          if (isTwice) continue;
          if (record.orphaned) orphans.push(list.changeOf(record));
          else if (!isDone) await output.add(record, key);
        }
      await output.end();
      if (output.made.length > 0) await this.#commit({ ...NONE, [table]: output.made }, unendedHead(source.head));
    }
    return orphans;
  }

  async #copyLedger(source: Source, orphans: readonly RecordChange[]): Promise<void> {
    const files = source.files.ledger;
    const { rows } = LEDGER_TABLE;
    const day = dayOf(this.#common.clock.nowMs());
    this.#begin(files);
    const output = this.#output(LEDGER_TABLE.table, rows, day, files);
    const merged = this.#merged(FORMAT_1_LEDGER, files, {
      startOf: ({ minPosition }) => minPosition,
      placeOf: ({ position }) => position,
    });
    for await (const batch of merged) for (const { record, key } of batch) await output.add(record, key);
    await output.end();
    const removed = this.#output(LEDGER_TABLE.table, rows, day, files);
    for (const entry of [...orphans].sort((a, b) => (a.position < b.position ? -1 : 1)))
      await removed.add(entry, rows.keyOf(entry));
    await removed.end();
    await this.#commit({ ...NONE, ledger: [...output.made, ...removed.made] }, source.head);
  }

  /** The highest position of each record that has several rows. */
  async #lastPositions<T, K extends RowKey>({ table, oldRows }: UpgradedTable<T, K>, files: readonly DataFile[]) {
    const positions = new Map<string, bigint>();
    for (const file of files.filter(({ add }) => add.tags?.[SUPERSEDING_TAG] === 'true')) {
      const scan = new FileScan(this.#source.scan, table, oldRows, file);
      for (let group = await scan.next(); group; group = await scan.next())
        for (const key of group.keys()) {
          const identity = resultIdentity(key);
          if ((positions.get(identity) ?? -1n) < key.position) positions.set(identity, key.position);
        }
      await this.#pause();
    }
    return positions;
  }

  async *#merged<T, K extends { readonly position: bigint }>(
    rows: RowKind<T, K>,
    files: readonly DataFile[],
    place: Pick<Parameters<typeof mergeFiles<T, K>>[0], 'startOf' | 'placeOf'>,
  ): AsyncGenerator<readonly MergedRow<T, K>[]> {
    const table = rows.table as TableName;
    const scan = (file: DataFile) =>
      new FileScan(this.#source.scan, table, rows, file, { together: Math.max(1, files.length) });
    for await (const batch of mergeFiles({ rows, files, scan, ...place })) {
      yield batch;
      this.#done += batch.length;
      this.#options.onProgress?.({ step: `upgrade ${table}`, done: this.#done, total: this.#total, unit: 'rows' });
      await this.#pause();
    }
  }

  #output<T, K extends { readonly position: bigint }>(
    table: TableName,
    rows: RowKind<T, K>,
    day: string,
    inputs: readonly DataFile[],
  ): OutputFiles<T, K> {
    const most = {
      files: filesFor(inputs, this.#target.compactBytes),
      bytes: inputs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      rows: inputs.reduce((sum, file) => sum + file.rows, 0),
    };
    return new OutputFiles({
      ...{ table, rows, day, most, isCompacted: false, zstd: this.#source.scan.zstd, files: this.#target.files },
      stamp: stampOf(inputs, this.#common.clock.nowMs()),
    });
  }

  async #commit(added: Readonly<Record<TableName, readonly DataFile[]>>, head: NamespaceHead): Promise<void> {
    const { catalog } = this.#target;
    // an upgrade that was cut off may have committed to one table
    const base = await catalog.takeBack(await this.#survey());
    await catalog.commit(base, { head, added, removed: NONE }, 'UPGRADE');
    for (const table of TABLE_NAMES) for (const { rows } of added[table]) this.#rows += rows;
  }

  async #survey(): Promise<Survey> {
    const survey = await this.#target.catalog.survey();
    const { position } = survey.view;
    if (position > 0n)
      throw new UpgradeRefusedError(`the place to copy into has data of its own, up to position ${position}`);
    return survey;
  }

  #begin(files: readonly DataFile[]): void {
    this.#done = 0;
    this.#total = files.reduce((sum, { rows }) => sum + rows, 0);
  }

  async #pause(): Promise<void> {
    const { signal } = this.#options;
    if (signal?.aborted) throw new AbortedError('upgrade', { cause: signal.reason });
    await nextTurn();
  }
}

/** Orphaned rows are in no lane's count. */
function mayHoldOrphans({ rows, listedByLane }: DataFile): boolean {
  return [...listedByLane.values()].reduce((sum, count) => sum + count, 0) < rows;
}
