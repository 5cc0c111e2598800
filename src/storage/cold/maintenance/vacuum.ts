import type { Common } from '../../../core/common.js';
import { AbortedError } from '../../../core/errors.js';
import { dataPathOfIndex, isDataFilePath, uriToPath } from '../delta/paths.js';
import type { Catalog } from '../namespace/catalog.js';
import type { Survey } from '../namespace/unnamed.js';
import { filesOf } from '../namespace/view.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { TABLE_NAMES, type TableName } from '../rows/table-name.js';
import type { MaintenanceOptions, VacuumReport } from './cold-maintenance.js';

/** Objects deleted by one call: one request of S3. */
const BATCH_OBJECTS = 1000;
/** Log entries that a checkpoint stands for stay so long: other engines' readers and time travel over a week. */
const LOG_RETENTION_MS = 7 * 24 * 60 * 60 * 1000;
/** Time for which log entries stay that a checkpoint stands for. */
export function logRetentionMs(graceMs: number): number {
  return Math.max(LOG_RETENTION_MS, graceMs);
}

/** The folders of data files and indexes. Nothing else below a table's root is deleted. */
const FOLDERS = ['day=', '_index/day='] as const;

/** An object that nothing needs. */
interface Garbage {
  readonly table: TableName;
  readonly path: string;
  readonly sizeBytes: number;
  /** The log remembers that it was removed; else it is an orphan. */
  readonly wasRemoved: boolean;
}

export interface VacuumOptions extends MaintenanceOptions {
  readonly dryRun: boolean;
  readonly graceMs: number;
}

/**
 * Deletes the objects that no log entry needs. An object is needed while
 *
 * - a file of the table, as it is named or as it is in the store, or its index: by the log;
 * - removed by the log at most `graceMs` ago: a reader may hold the state before;
 * - stored at most `graceMs` ago by the store's clock: a flush or a compaction may be about to commit it.
 *
 * The last is a guess: a writer may stand still for hours and go on. Therefore orphans are deleted only after a
 * commit to their table that such a writer cannot see, so that its own commit conflicts and it writes everything
 * anew. Cut off anywhere it has deleted a part, and the next one deletes the rest.
 */
export class Vacuum {
  readonly #store: ObjectStore;
  readonly #common: Common;
  readonly #catalog: Catalog;
  readonly #keyOf: (table: TableName, path: string) => string;

  constructor(parts: {
    readonly store: ObjectStore;
    readonly common: Common;
    readonly catalog: Catalog;
    readonly keyOf: (table: TableName, path: string) => string;
  }) {
    this.#store = parts.store;
    this.#common = parts.common;
    this.#catalog = parts.catalog;
    this.#keyOf = parts.keyOf;
  }

  /** @throws AbortedError, ObjectDeleteError, and the errors of the object store and the log. */
  async run(options: VacuumOptions): Promise<VacuumReport> {
    const found = await this.#find(await this.#catalog.survey(), options);
    if (options.dryRun) return reportOf(found, 0, true);
    const garbage = await this.#confirmed(found, options);
    await this.#delete(garbage, options);
    let logEntries = 0;
    const { snapshots } = this.#catalog.view;
    for (const table of TABLE_NAMES)
      if (snapshots[table]) logEntries += await this.#catalog.expire(table, logRetentionMs(options.graceMs));
    return reportOf(garbage, logEntries, false);
  }

  /** The garbage in a state of the namespace. A table that does not exist yet has none. */
  async #find(survey: Survey, options: VacuumOptions): Promise<Garbage[]> {
    const garbage: Garbage[] = [];
    let listed = 0;
    for (const table of TABLE_NAMES) {
      if (!survey.tops[table]) continue;
      const isNeeded = this.#neededTest(survey, table, options.graceMs);
      const root = this.#keyOf(table, '');
      for (const folder of FOLDERS)
        for (let startAfter: string | null = ''; startAfter !== null; ) {
          checkSignal(options);
          const page = await this.#store.list(`${root}${folder}`, startAfter === '' ? {} : { startAfter });
          for (const { key, sizeBytes, modifiedMs } of page.objects) {
            const path = key.slice(root.length);
            const dataPath = isDataFilePath(path) ? path : dataPathOfIndex(path);
            if (dataPath === null) continue;
            const verdict = isNeeded(path, dataPath, modifiedMs);
            if (verdict !== 'needed') garbage.push({ table, path, sizeBytes, wasRemoved: verdict === 'removed' });
          }
          listed += page.objects.length;
          options.onProgress?.({ step: 'list objects', done: listed, total: null, unit: 'files' });
          startAfter = page.next;
        }
    }
    return garbage;
  }

  #neededTest({ view, tops }: Survey, table: TableName, graceMs: number) {
    const cutoffMs = this.#common.clock.nowMs() - graceMs;
    const named = new Set<string>();
    for (const { path, index } of [...view.tables[table].files, ...filesOf(tops[table])]) {
      named.add(path);
      if (index) named.add(index.path);
    }
    const removedMs = new Map<string, number>();
    for (const [uri, { deletionTimestamp }] of tops[table]?.tombstones ?? [])
      removedMs.set(uriToPath(uri), deletionTimestamp ?? 0);
    return (path: string, dataPath: string, modifiedMs: number): 'needed' | 'removed' | 'orphan' => {
      if (named.has(path)) return 'needed';
      const atMs = removedMs.get(dataPath);
      if (atMs !== undefined) return atMs > cutoffMs ? 'needed' : 'removed';
      return modifiedMs > cutoffMs ? 'needed' : 'orphan';
    };
  }

  /** The garbage that is left once no writer can commit any orphan of it. */
  async #confirmed(found: readonly Garbage[], { graceMs }: VacuumOptions): Promise<readonly Garbage[]> {
    const tables = TABLE_NAMES.filter((table) => found.some((each) => each.table === table && !each.wasRemoved));
    if (tables.length === 0) return found;
    const survey = await this.#catalog.fenceWriters(tables);
    const tests = new Map(TABLE_NAMES.map((table) => [table, this.#neededTest(survey, table, graceMs)]));
    return found.filter(({ table, path }) => {
      const dataPath = isDataFilePath(path) ? path : dataPathOfIndex(path);
      // its age was judged before
      return dataPath !== null && tests.get(table)?.(path, dataPath, Number.NEGATIVE_INFINITY) !== 'needed';
    });
  }

  async #delete(garbage: readonly Garbage[], options: VacuumOptions): Promise<void> {
    for (let from = 0; from < garbage.length; from += BATCH_OBJECTS) {
      checkSignal(options);
      const batch = garbage.slice(from, from + BATCH_OBJECTS);
      await this.#store.deleteMany(batch.map(({ table, path }) => this.#keyOf(table, path)));
      const done = from + batch.length;
      options.onProgress?.({ step: 'delete objects', done, total: garbage.length, unit: 'files' });
    }
  }
}

function reportOf(garbage: readonly Garbage[], logEntries: number, dryRun: boolean): VacuumReport {
  const removed = garbage.filter(({ wasRemoved }) => wasRemoved);
  const orphans = garbage.filter(({ wasRemoved }) => !wasRemoved);
  const bytes = (some: readonly Garbage[]) => some.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return {
    removedFiles: removed.length,
    removedBytes: bytes(removed),
    orphans: orphans.length,
    orphanBytes: bytes(orphans),
    logEntries,
    dryRun,
  };
}

function checkSignal({ signal }: MaintenanceOptions): void {
  if (signal?.aborted) throw new AbortedError('vacuum', { cause: signal.reason });
}
