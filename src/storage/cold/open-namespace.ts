import type { Common } from '../../core/common.js';
import type { ChangeSet } from '../../model/batch.js';
import { createDeltaLog, DEFAULT_TOMBSTONE_RETENTION_MS } from './delta/delta-log.js';
import { ColdCompaction } from './maintenance/compaction.js';
import { ColdMaintenanceLoop } from './maintenance/maintenance-loop.js';
import { createColdMaintenanceMetrics } from './maintenance/maintenance-metrics.js';
import { ColdMaintenanceTasks, type OpenMaintenance } from './maintenance/maintenance-tasks.js';
import { ColdVacuum } from './maintenance/vacuum.js';
import { ColdVerify } from './maintenance/verify/verify.js';
import { ColdCatalog } from './namespace/catalog.js';
import type { S3StorageSettings } from './namespace/cold-storage-options.js';
import { ColdReader } from './namespace/file-reader.js';
import { ColdFileStore } from './namespace/file-store.js';
import type { ColdView } from './namespace/view.js';
import type { ObjectStore } from './object-store/object-store.js';
import { loadZstd } from './parquet/zstd.js';
import { ColdChanges } from './read/changes.js';
import { ColdLedger } from './read/ledger-reads.js';
import { ColdLists } from './read/lists.js';
import { ColdLookup } from './read/lookup.js';
import { ColdScans } from './read/message-scans.js';
import { TABLE_NAMES, type TableName } from './rows/table-name.js';
import { ColdWriter } from './write/committer.js';
import { ColdFlush } from './write/flush.js';
import type { S3StorageMetrics } from './write/flush-metrics.js';
import { ColdFollower } from './write/follower.js';
import { ColdPrimary } from './write/primary.js';

/** Everything that an open cold storage is made of. */
export interface S3StorageParts {
  readonly reader: ColdReader;
  readonly catalog: ColdCatalog;
  readonly lists: ColdLists;
  readonly lookup: ColdLookup;
  readonly ledger: ColdLedger;
  readonly scans: ColdScans;
  readonly changes: ColdChanges;
  readonly follower: ColdFollower;
  readonly primary: ColdPrimary;
  readonly maintenance: OpenMaintenance;
  /** Begins to maintain the namespace from time to time. */
  maintain(): ColdMaintenanceLoop;
}

/** What an open storage tells its owner. */
export interface S3StorageEvents {
  /** It committed this by itself. */
  committed(changes: ChangeSet): void;
  /** What it follows was committed. */
  advanced(view: ColdView): void;
}

/** Puts the parts of a storage together and reads where its namespace stands. */
export async function openParts(options: {
  readonly name: string;
  readonly store: ObjectStore;
  readonly settings: S3StorageSettings;
  readonly common: Common;
  readonly metrics: S3StorageMetrics;
  readonly events: S3StorageEvents;
}): Promise<S3StorageParts> {
  const { name, store, settings, common, metrics, events } = options;
  const zstd = await loadZstd();
  const rootOf = (table: TableName) => `${settings.namespace}/${table}`;
  const keyOf = keysIn(settings.namespace);
  const tombstoneRetentionMs = Math.max(DEFAULT_TOMBSTONE_RETENTION_MS, settings.graceMs);
  const logOf = (table: TableName) =>
    createDeltaLog({ store, root: rootOf(table), table, zstd, common, tombstoneRetentionMs });
  const [messages, results, ledgerLog] = TABLE_NAMES.map(logOf) as [LogOf, LogOf, LogOf];
  const reader = new ColdReader({ store, zstd, keyOf, cacheBytes: settings.cacheBytes });
  const catalog = new ColdCatalog({
    logs: { messages, verifier_results: results, ledger: ledgerLog },
    reader,
    common,
  });
  // before anything is made that has to be closed
  const view = await catalog.refresh();
  const lists = new ColdLists(reader);
  const lookup = new ColdLookup(reader, lists);
  const ledger = new ColdLedger(reader);
  const files = new ColdFileStore({ store, keyOf });
  const flush = new ColdFlush({ name, files, zstd, common, catalog, reader, takeoverMs: settings.takeoverMs });
  const writer = new ColdWriter({ catalog, flush, common, metrics });
  const follower = new ColdFollower({ name, common, settings, writer, lookup, metrics, advanced: events.advanced });
  const primary = new ColdPrimary({ name, common, writer, lookup, ledger, committed: events.committed });
  const compaction = new ColdCompaction({
    ...{ store, zstd, common, catalog, reader, ledger, files, keyOf },
    compactBytes: settings.compactBytes,
  });
  const maintenanceMetrics = createColdMaintenanceMetrics(common, name);
  const maintenance = new ColdMaintenanceTasks({
    ...{ catalog, compaction, common, settings },
    vacuum: new ColdVacuum({ store, common, catalog, keyOf }),
    metrics: maintenanceMetrics,
  });
  follower.stands(view);
  return {
    reader,
    catalog,
    lists,
    lookup,
    ledger,
    scans: new ColdScans(reader, lists),
    changes: new ColdChanges({ name, reader, ledger }),
    follower,
    primary,
    maintenance,
    maintain: () => new ColdMaintenanceLoop({ name, common, maintenance, metrics: maintenanceMetrics, ...settings }),
  };
}

type LogOf = ReturnType<typeof createDeltaLog>;

/** What verifies a namespace, whatever state it is in. */
export async function openVerify(store: ObjectStore, namespace: string, common: Common): Promise<ColdVerify> {
  return new ColdVerify({ scan: { store, zstd: await loadZstd(), keyOf: keysIn(namespace) }, common });
}

function keysIn(namespace: string) {
  return (table: TableName, path: string) => `${namespace}/${table}/${path}`;
}
