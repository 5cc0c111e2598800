import { IndexerError } from '../../core/errors.js';

/** A session, as the server tells it to any user. */
export interface SourceSession {
  readonly account: string | null;
  readonly application: string | null;
}

/** The Go indexer, or another program, writes to the tables: what it writes after the last pass would be lost. */
export class SourceStillWrittenError extends IndexerError {
  constructor(found: string, sessions: readonly SourceSession[]) {
    super('SOURCE_STILL_WRITTEN', `the Go indexer's tables are still written to: ${found}`, true, {
      details: { sessions, nextStep: 'stop the Go indexer, and its replays, then try again' },
    });
  }
}

/** The target holds something else than an import from these tables. */
export class ImportTargetError extends IndexerError {
  constructor(found: string, nextStep: string) {
    super('IMPORT_TARGET', found, false, { details: { nextStep } });
  }
}
