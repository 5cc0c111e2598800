import type { ObjectStore } from '../object-store/object-store.js';
import type { TableName } from '../rows/table-name.js';

/** The progress of a call. `total`: null while it is not known. Steps follow each other and each counts anew. */
export interface MaintenanceProgress {
  readonly step: string;
  readonly done: number;
  readonly total: number | null;
  readonly unit: 'files' | 'bytes' | 'rows';
}

/** Options of every call. */
export interface MaintenanceOptions {
  /** Ends the call between two steps with an AbortedError. Commits and deletions before that stay. */
  readonly signal?: AbortSignal;
  /** Called often; must not throw and must return quickly. */
  readonly onProgress?: (progress: MaintenanceProgress) => void;
}

/** Options of a verification. */
export interface VerifyOptions extends MaintenanceOptions {
  /** Default true. */
  readonly content?: boolean;
}

/** The figures of one table, from its log alone. */
export interface ColdTableDescription {
  readonly table: TableName;
  /** Version of its Delta log; -1 without one. */
  readonly version: number;
  /** Data files. */
  readonly files: number;
  readonly bytes: number;
  /** Bytes of the sidecar indexes. */
  readonly indexBytes: number;
  readonly rows: number;
  /** Files that a compaction may merge with others: below half of `compactBytes`, and of few rows. */
  readonly smallFiles: number;
  /** Ingestion times of its rows, unix ms; -1 without rows. */
  readonly minMs: number;
  readonly maxMs: number;
  /** Files that a compaction would rewrite now, by the policy and not `full`. */
  readonly toCompact: { readonly files: number; readonly bytes: number };
}

/** The position of a namespace and the figures of its tables. */
export interface ColdDescription {
  /** Every change up to this position is committed. */
  readonly position: bigint;
  /**
   * The highest position that was known of when it was written to; above `position` while a backlog is flushed in
   * parts.
   */
  readonly headPosition: bigint;
  /** Ingestion time of the last commit in it, unix ms; -1 = none. */
  readonly headMs: number;
  /** Files of flushes that are under way, or were never committed. */
  readonly tornFiles: number;
  readonly tables: readonly ColdTableDescription[];
  /** Objects that no reader of the present state needs, whatever their age: deleted by a vacuum after its grace. */
  readonly waitingForVacuum: { readonly files: number; readonly bytes: number };
}

/** The outcome of a compaction for one table. Files and bytes are of the whole table, without indexes. */
export interface TableCompaction {
  readonly table: TableName;
  readonly filesBefore: number;
  readonly filesAfter: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Rows of the ledger that a later one stands for, and that are not in the new files. */
  readonly rowsDropped: number;
  /** Files that were replaced, and their rows and bytes. */
  readonly filesRewritten: number;
  readonly rowsRewritten: number;
  readonly bytesRewritten: number;
}

export interface CompactionReport {
  readonly tables: readonly TableCompaction[];
}

/** The objects that a vacuum deleted, or (`dryRun`) would delete. */
export interface VacuumReport {
  /** Data files and indexes that the log says were removed. */
  readonly removedFiles: number;
  readonly removedBytes: number;
  /** Objects that the log never named, or does not remember. */
  readonly orphans: number;
  readonly orphanBytes: number;
  /** Log entries that a checkpoint stands for. Not counted by a dry run. */
  readonly logEntries: number;
  readonly dryRun: boolean;
}

/** A problem that a verification found. */
export interface VerifyProblem {
  readonly table: TableName;
  /** The object, relative to the table's root; empty for the table as a whole. */
  readonly path: string;
  /** The expected and the found. */
  readonly what: string;
  /** The remedy. */
  readonly advice: string;
}

export interface VerifyReport {
  /** True without problems. */
  readonly ok: boolean;
  readonly files: number;
  readonly rows: number;
  /** Bytes of data files and indexes read. */
  readonly bytes: number;
  /** Rows of which it was not looked whether another one has the same identity: beyond some 33 million a table. */
  readonly uncomparedRows: number;
  readonly problems: readonly VerifyProblem[];
}

/** The tables that a rollback has put back, and the version of their logs before the commits of something else. */
export interface RollbackReport {
  readonly tables: readonly { readonly table: TableName; readonly restoredVersion: number; readonly undone: number }[];
}

/** The copy that an upgrade has made. */
export interface UpgradeReport {
  /** Every change up to this position is in it. */
  readonly position: bigint;
  /** Rows that this call has written; an earlier one that was cut off may have written others. */
  readonly rows: number;
  /** Orphaned records, which only the ledger holds. */
  readonly orphans: number;
}

/**
 * The maintenance of the files of a cold storage. Safe at any time, from any number of processes, beside flushes and
 * readers. Every call opens the storage if need be, and throws StorageUnavailableError (nothing is lost: call again),
 * StorageFailureError, AbortedError or ClosedError.
 */
export interface ColdMaintenance {
  /** Describes the namespace. Reads the logs and lists the objects, no data file. */
  describe(): Promise<ColdDescription>;
  /**
   * Merges small files; `compaction-plan.ts` chooses them. `full`: everything that could be fewer files, whatever it
   * costs. Answers stay the same throughout.
   */
  compact(options?: MaintenanceOptions & { readonly full?: boolean }): Promise<CompactionReport>;
  /**
   * Deletes unneeded objects: files that the log removed more than `graceMs` ago (default: the storage's), older
   * objects that the log does not name, and old log entries. No reader may take longer than the grace.
   */
  vacuum(
    options?: MaintenanceOptions & { readonly dryRun?: boolean; readonly graceMs?: number },
  ): Promise<VacuumReport>;
  /**
   * Takes back what something else has committed to the tables, as a deletion or an optimization of another engine:
   * each table is then as it was before. Without such commits nothing is done.
   */
  rollback(options?: MaintenanceOptions): Promise<RollbackReport>;
  /**
   * Copies the namespace as another store holds it in format 1, of versions before 0.2, into this one, in the present
   * format. The other is only read, and must not be written to meanwhile. Cut off, the same call goes on.
   */
  upgrade(options: MaintenanceOptions & { readonly from: ObjectStore }): Promise<UpgradeReport>;
  /**
   * Reads everything back and checks it: logs, files, indexes, statistics, order, positions. Reports every problem.
   * `content` false: of files and indexes only that they are there, with the size that the log has.
   */
  verify(options?: VerifyOptions): Promise<VerifyReport>;
}
