import { IndexerError, type IndexerErrorOptions } from '../../../src/core/errors.js';

/** Reason why the embedded Postgres cannot run. */
export type EmbeddedPostgresProblem =
  | 'UNSUPPORTED_PLATFORM'
  | 'NO_UNPRIVILEGED_USER'
  | 'BINARIES_UNUSABLE'
  | 'DATA_DIR_UNREACHABLE'
  | 'DATA_DIR_FOREIGN'
  | 'DATA_DIR_IN_USE'
  | 'INIT_FAILED'
  | 'START_FAILED';

/** The embedded Postgres cannot run; the message ends with the next step. */
export class EmbeddedPostgresError extends IndexerError {
  constructor(problem: EmbeddedPostgresProblem, message: string, options?: IndexerErrorOptions) {
    super(`EMBEDDED_POSTGRES_${problem}`, message, false, options);
  }
}
