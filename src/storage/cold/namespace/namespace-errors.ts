import { IndexerError, type IndexerErrorOptions } from '../../../core/errors.js';

/** The object that was read back is not the one that was written. Nothing of it was committed. */
export class ReadBackError extends IndexerError {
  constructor(key: string, options: IndexerErrorOptions = {}) {
    super('COLD_READ_BACK', `object ${key} does not hold what was written to it`, true, {
      ...options,
      details: { ...options.details, key },
    });
  }
}

/** Another writer is in the middle of a flush. It either ends it soon or is taken for dead. */
export class FlushBusyError extends IndexerError {
  constructor(backend: string, waitMs: number) {
    super('COLD_BUSY', `another writer of storage ${backend} is flushing`, true, { details: { backend, waitMs } });
  }
}

/** A flush would write too much of the tables anew for its few changes, and can wait. Nothing was stored. */
export class FlushPutOffError extends IndexerError {
  constructor(backend: string, rewrittenBytes: number) {
    super('COLD_PUT_OFF', `a flush of storage ${backend} waits for more changes`, true, {
      details: { backend, rewrittenBytes },
    });
  }
}

/** A storage in role `follower` or `reader` cannot commit by itself. */
export class ArchiveWriteError extends IndexerError {
  constructor(backend: string) {
    super('ARCHIVE_WRITE', `storage ${backend} is an archive and takes changes of another storage only`, false, {
      details: { backend },
    });
  }
}

/** An upgrade cannot begin or go on. Nothing was changed. */
export class UpgradeRefusedError extends IndexerError {
  constructor(what: string) {
    super('UPGRADE_REFUSED', `the upgrade is refused: ${what}`, false);
  }
}
