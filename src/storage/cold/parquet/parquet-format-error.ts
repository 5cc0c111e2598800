import { IndexerError, type IndexerErrorOptions } from '../../../core/errors.js';

/** Bytes are not the Parquet file that they should be: damaged, cut off, or written by something we do not read. */
export class ParquetFormatError extends IndexerError {
  constructor(problem: string, options?: IndexerErrorOptions) {
    super('PARQUET_FORMAT', `not a readable Parquet file: ${problem}`, false, options);
  }
}
