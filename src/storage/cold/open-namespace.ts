import type { Common } from '../../core/common.js';
import type { ChangeSet } from '../../model/batch.js';
import { createDeltaLog, DEFAULT_TOMBSTONE_RETENTION_MS, type DeltaLog } from './delta/delta-log.js';
import type { MaintenanceOptions, RollbackReport, UpgradeReport } from './maintenance/cold-maintenance.js';
import { Compaction } from './maintenance/compaction.js';
import { MaintenanceLoop } from './maintenance/maintenance-loop.js';
import { createMaintenanceMetrics } from './maintenance/maintenance-metrics.js';
import { MaintenanceTasks, type OpenMaintenance } from './maintenance/maintenance-tasks.js';
import { rollBackNamespace } from './maintenance/rollback.js';
import { Upgrade } from './maintenance/upgrade/upgrade.js';
import { logRetentionMs, Vacuum } from './maintenance/vacuum.js';
import { Verification } from './maintenance/verify/verify.js';
import { Catalog } from './namespace/catalog.js';
import type { ColdStorageSettings } from './namespace/cold-storage-options.js';
import { DataFileReader } from './namespace/file-reader.js';
import { DataFileStore } from './namespace/file-store.js';
import type { NamespaceView } from './namespace/view.js';
import type { ObjectStore } from './object-store/object-store.js';
import { loadZstd } from './parquet/zstd.js';
import { ChangeReads } from './read/changes.js';
import { LedgerReads } from './read/ledger-reads.js';
import { Lists } from './read/lists.js';
import { Lookup } from './read/lookup.js';
import { RecordScans } from './read/record-scans.js';
import { TABLE_DESCRIPTIONS } from './rows/table-columns.js';
import { byTable, type TableName } from './rows/table-name.js';
import { Committer } from './write/committer.js';
import { Flush } from './write/flush.js';
import type { FlushMetrics } from './write/flush-metrics.js';
import { Follower } from './write/follower.js';
import { Leader } from './write/leader.js';

/** The parts of an open cold storage. */
export interface OpenNamespace {
  readonly reader: DataFileReader;
  readonly catalog: Catalog;
  readonly lists: Lists;
  readonly lookup: Lookup;
  readonly ledger: LedgerReads;
  readonly scans: RecordScans;
  readonly changes: ChangeReads;
  readonly follower: Follower;
  readonly leader: Leader;
  readonly maintenance: OpenMaintenance;
  /** Begins to maintain the namespace from time to time. */
  maintain(): MaintenanceLoop;
}

/** Events that an open storage tells its owner of. */
export interface NamespaceEvents {
  /** The leader committed changes. */
  committed(changes: ChangeSet): void;
  /** The namespace stands further than before. */
  advanced(view: NamespaceView): void;
}

/** Puts the parts of a storage together and reads where its namespace stands. */
export async function openNamespace(options: {
  readonly name: string;
  readonly store: ObjectStore;
  readonly settings: ColdStorageSettings;
  readonly common: Common;
  readonly metrics: FlushMetrics;
  readonly events: NamespaceEvents;
}): Promise<OpenNamespace> {
  const { name, store, settings, common, metrics, events } = options;
  const zstd = await loadZstd();
  const keyOf = keysIn(settings.namespace);
  const reader = new DataFileReader({ store, zstd, keyOf, cacheBytes: settings.cacheBytes });
  const catalog = new Catalog(await catalogParts({ store, settings, common }));
  const openedMs = common.clock.monotonicMs();
  // before anything is made that has to be closed
  const opened = await catalog.survey();
  const lists = new Lists(reader);
  const lookup = new Lookup(reader, lists);
  const ledger = new LedgerReads(reader);
  const files = new DataFileStore({ store, keyOf });
  const tableChanges = { reader, files, zstd, scan: { store, zstd, keyOf } };
  const flush = new Flush({ name, common, catalog, ledger, tableChanges, takeoverMs: settings.takeoverMs });
  const writer = new Committer({ catalog, flush, common, metrics, opened, openedMs });
  const follower = new Follower({ name, common, settings, writer, lookup, metrics, advanced: events.advanced });
  const leader = new Leader({ name, common, writer, lookup, ledger, committed: events.committed });
  const compaction = new Compaction({
    ...{ store, zstd, common, catalog, ledger, files, keyOf },
    compactBytes: settings.compactBytes,
  });
  const maintenanceMetrics = createMaintenanceMetrics(common, name);
  const maintenance = new MaintenanceTasks({
    ...{ catalog, compaction, common, settings },
    vacuum: new Vacuum({ store, common, catalog, keyOf }),
    metrics: maintenanceMetrics,
  });
  follower.stands(opened.view);
  return {
    reader,
    catalog,
    lists,
    lookup,
    ledger,
    scans: new RecordScans(reader, lists),
    changes: new ChangeReads({ name, reader, ledger }),
    follower,
    leader,
    maintenance,
    maintain: () => new MaintenanceLoop({ name, common, maintenance, metrics: maintenanceMetrics, ...settings }),
  };
}

/** Rolls a namespace in any state back to before the commits of other writers. */
export async function rollBack(parts: {
  readonly store: ObjectStore;
  readonly settings: ColdStorageSettings;
  readonly common: Common;
  readonly options: MaintenanceOptions;
}): Promise<RollbackReport> {
  return await rollBackNamespace(await logsOf(parts), parts.options);
}

/** Copies a namespace of format 1 into one that is new. */
export async function upgrade(parts: {
  readonly from: ObjectStore;
  readonly store: ObjectStore;
  readonly settings: ColdStorageSettings;
  readonly common: Common;
  readonly options: MaintenanceOptions;
}): Promise<UpgradeReport> {
  const { from, store, settings, common, options } = parts;
  const keyOf = keysIn(settings.namespace);
  const source = {
    logs: await logsOf({ ...parts, store: from }),
    scan: { store: from, zstd: await loadZstd(), keyOf },
  };
  const target = {
    catalog: new Catalog({ ...(await catalogParts(parts)), isUpgrade: true }),
    files: new DataFileStore({ store, keyOf }),
    compactBytes: settings.compactBytes,
  };
  return await new Upgrade(source, target, common, options).run();
}

/** What a catalog is made of. */
async function catalogParts(parts: LogParts) {
  const { store, settings, common } = parts;
  const isEmpty = async () => (await store.list(`${settings.namespace}/`, { limit: 1 })).objects.length === 0;
  return { logs: await logsOf(parts), common, isEmpty };
}

/** The logs of a namespace. */
async function logsOf({ store, settings, common }: LogParts): Promise<Readonly<Record<TableName, DeltaLog>>> {
  const zstd = await loadZstd();
  const tombstoneRetentionMs = Math.max(DEFAULT_TOMBSTONE_RETENTION_MS, settings.graceMs);
  const logOf = (table: TableName) =>
    createDeltaLog({
      ...{ store, root: `${settings.namespace}/${table}`, table, zstd, common, tombstoneRetentionMs },
      description: TABLE_DESCRIPTIONS[table],
      keptMs: { files: settings.graceMs, log: logRetentionMs(settings.graceMs) },
    });
  return byTable(logOf);
}

interface LogParts {
  readonly store: ObjectStore;
  readonly settings: ColdStorageSettings;
  readonly common: Common;
}

/** The verification of a namespace in any state. */
export async function openVerification(store: ObjectStore, namespace: string, common: Common): Promise<Verification> {
  return new Verification({ scan: { store, zstd: await loadZstd(), keyOf: keysIn(namespace) }, common });
}

function keysIn(namespace: string) {
  return (table: TableName, path: string) => `${namespace}/${table}/${path}`;
}
