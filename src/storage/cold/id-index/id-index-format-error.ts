import { IndexerError, type IndexerErrorOptions } from '../../../core/errors.js';

/** Bytes are not the id index that they should be: damaged, cut off, or of a version that we do not read. */
export class IdIndexFormatError extends IndexerError {
  constructor(problem: string, options?: IndexerErrorOptions) {
    super('ID_INDEX_FORMAT', `not a readable id index: ${problem}`, false, options);
  }
}
