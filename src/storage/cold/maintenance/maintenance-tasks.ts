import type { Common } from '../../../core/common.js';
import { AbortedError } from '../../../core/errors.js';
import type { Catalog } from '../namespace/catalog.js';
import type { NamespaceView } from '../namespace/view.js';
import { TABLE_NAMES, type TableName } from '../rows/table-name.js';
import type {
  ColdDescription,
  ColdMaintenance,
  CompactionReport,
  MaintenanceOptions,
  TableCompaction,
  VacuumReport,
} from './cold-maintenance.js';
import type { Compaction, GroupResult } from './compaction.js';
import { planCompaction } from './compaction-plan.js';
import type { MaintenanceMetrics } from './maintenance-metrics.js';
import { describeNamespace } from './namespace-description.js';
import type { Vacuum } from './vacuum.js';

/** Plans of one compaction: a second one when another writer took files of the first, and so on. */
const MAX_ROUNDS = 8;

/** The work that a table's compaction has done so far. */
interface Tally {
  rowsDropped: number;
  filesRewritten: number;
  rowsRewritten: number;
  bytesRewritten: number;
}

/** The tasks that need a storage that can be opened. */
export type OpenMaintenance = Omit<ColdMaintenance, 'verify' | 'rollback' | 'upgrade'>;

/** The maintenance of one open storage. Compactions and vacuums of one process wait for each other. */
export class MaintenanceTasks implements OpenMaintenance {
  readonly #catalog: Catalog;
  readonly #compaction: Compaction;
  readonly #vacuum: Vacuum;
  readonly #common: Common;
  readonly #metrics: MaintenanceMetrics;
  readonly #settings: { readonly compactBytes: number; readonly graceMs: number };
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: {
    readonly catalog: Catalog;
    readonly compaction: Compaction;
    readonly vacuum: Vacuum;
    readonly common: Common;
    readonly metrics: MaintenanceMetrics;
    readonly settings: { readonly compactBytes: number; readonly graceMs: number };
  }) {
    this.#catalog = parts.catalog;
    this.#compaction = parts.compaction;
    this.#vacuum = parts.vacuum;
    this.#common = parts.common;
    this.#metrics = parts.metrics;
    this.#settings = parts.settings;
  }

  async describe(): Promise<ColdDescription> {
    const garbage = await this.#vacuum.run({ dryRun: true, graceMs: 0 });
    const { compactBytes } = this.#settings;
    return describeNamespace(await this.#catalog.survey(), garbage, {
      compactBytes,
      nowMs: this.#common.clock.nowMs(),
    });
  }

  async compact(options: MaintenanceOptions & { readonly full?: boolean } = {}): Promise<CompactionReport> {
    return await this.#oneAtATime(async () => {
      const startedMs = this.#common.clock.monotonicMs();
      await this.#catalog.takeUp();
      const before = await this.#catalog.refresh();
      const tallies = new Map<TableName, Tally>();
      for (const table of TABLE_NAMES) tallies.set(table, await this.#compactTable(table, options));
      const tables = TABLE_NAMES.map((table) => reportOf(table, before, this.#catalog.view, tallies.get(table)));
      this.#metrics.compacted({ tables }, startedMs);
      return { tables };
    });
  }

  async vacuum(
    options: MaintenanceOptions & { readonly dryRun?: boolean; readonly graceMs?: number } = {},
  ): Promise<VacuumReport> {
    const { dryRun = false, graceMs = this.#settings.graceMs, ...rest } = options;
    return await this.#oneAtATime(async () => {
      const report = await this.#vacuum.run({ ...rest, dryRun, graceMs });
      this.#metrics.vacuumed(report);
      return report;
    });
  }

  /** Every file is rewritten once at most: the files of this call are left to the next. */
  async #compactTable(table: TableName, options: MaintenanceOptions & { readonly full?: boolean }): Promise<Tally> {
    const { compactBytes } = this.#settings;
    const full = options.full ?? false;
    const tally: Tally = { rowsDropped: 0, filesRewritten: 0, rowsRewritten: 0, bytesRewritten: 0 };
    const made = new Set<string>();
    let rowsDone = 0;
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const view = await this.#catalog.refresh();
      const nowMs = this.#common.clock.nowMs();
      const groups = planCompaction(view.tables[table], { compactBytes, full, without: made, nowMs });
      const inputs = groups.flatMap(({ files }) => files);
      const total = inputs.reduce((rows, file) => rows + file.rows, rowsDone);
      let isLost = false;
      for (const group of groups) {
        if (options.signal?.aborted) throw new AbortedError('compaction', { cause: options.signal.reason });
        const result = await this.#compaction.run(await this.#catalog.survey(), table, group, {
          ...(options.signal && { signal: options.signal }),
          onRows: (rows) => {
            rowsDone += rows;
            options.onProgress?.({ step: `compact ${table}`, done: rowsDone, total, unit: 'rows' });
          },
        });
        if (result === null) isLost = true;
        else {
          add(tally, result);
          for (const { uri } of result.added) made.add(uri);
        }
      }
      if (!isLost) break;
    }
    return tally;
  }

  #oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const working = this.#last.then(work);
    this.#last = working.catch(() => undefined);
    return working;
  }
}

function add(tally: Tally, { removed, rowsDropped }: GroupResult): void {
  tally.rowsDropped += rowsDropped;
  tally.filesRewritten += removed.length;
  for (const { rows, sizeBytes } of removed) {
    tally.rowsRewritten += rows;
    tally.bytesRewritten += sizeBytes;
  }
}

function reportOf(
  table: TableName,
  before: NamespaceView,
  after: NamespaceView,
  tally: Tally | undefined,
): TableCompaction {
  const bytes = ({ tables }: NamespaceView) => tables[table].files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return {
    table,
    filesBefore: before.tables[table].files.length,
    filesAfter: after.tables[table].files.length,
    bytesBefore: bytes(before),
    bytesAfter: bytes(after),
    ...(tally ?? { rowsDropped: 0, filesRewritten: 0, rowsRewritten: 0, bytesRewritten: 0 }),
  };
}
