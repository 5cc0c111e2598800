import { IndexerError, type IndexerErrorOptions } from '../../../core/errors.js';

/**
 * Another writer committed the version first. Nothing of the losing commit is in the table: refresh the snapshot,
 * plan the rest of the work, and commit again.
 */
export class DeltaConflictError extends IndexerError {
  /** The version that the other writer won. */
  readonly version: number;
  constructor(table: string, version: number) {
    super('DELTA_CONFLICT', `version ${version} of table ${table} was committed by another writer`, true, {
      details: { table, version },
    });
    this.version = version;
  }
}

/** A table's log breaks the protocol: damaged, incomplete, or written wrongly. */
export class DeltaFormatError extends IndexerError {
  constructor(problem: string, options?: IndexerErrorOptions) {
    super('DELTA_FORMAT', `not a readable Delta log: ${problem}`, false, options);
  }
}

/**
 * A table that was read before is gone, or ends below the version that was read, or lacks commits: its bucket was
 * emptied or set back. Nothing may be committed on top of it, and no answer may rely on it.
 */
export class DeltaLostError extends IndexerError {
  constructor(table: string, version: number, found: number) {
    const now = found < 0 ? 'is gone' : found < version ? `ends with version ${found}` : 'lacks versions below that';
    super('DELTA_LOST', `table ${table} was read up to version ${version} and now ${now}`, false, {
      details: { table, version, found },
    });
  }
}

/**
 * Something else than this product has committed to the table: rows may be gone, or files moved. Nothing is read or
 * written beyond that until an operator has undone it.
 */
export class DeltaForeignError extends IndexerError {
  /** The first version of another writer. */
  readonly version: number;
  constructor(table: string, version: number) {
    const undo = `undo it with 'ccv-indexer storage rollback'`;
    super('DELTA_FOREIGN', `version ${version} of table ${table} was written by something else: ${undo}`, false, {
      details: { table, version },
    });
    this.version = version;
  }
}

/** Files that another writer removed are gone from the store: a rollback alone does not bring them back. */
export class ForeignFilesGoneError extends IndexerError {
  constructor(paths: readonly string[]) {
    const remedy = 'restore them from a copy of the bucket, or delete the namespace and let it be followed anew';
    super('DELTA_FOREIGN_GONE', `${paths.length} files that something else removed are gone: ${remedy}`, false, {
      details: { first: paths[0] ?? '', files: paths.length },
    });
  }
}

/** The table uses a feature of the protocol that this version does not know; nothing was read or written. */
export class DeltaUnsupportedError extends IndexerError {
  constructor(what: string, options?: IndexerErrorOptions) {
    super('DELTA_UNSUPPORTED', `the Delta table cannot be used: ${what}`, false, options);
  }
}
