import { assertNever } from '../core/errors.js';
import { createRestReader, type RestReaderOptions } from './rest-reader.js';
import type { VerifierReader } from './verifier-reader.js';

/** Options of a reader of any kind. */
export type VerifierReaderOptions = RestReaderOptions & { readonly type: 'rest' };

/** Creates the reader of a configured verifier by its `Type`. */
export function createVerifierReader(options: VerifierReaderOptions): VerifierReader {
  switch (options.type) {
    case 'rest':
      return createRestReader(options);
    default:
      return assertNever(options.type, 'verifier type');
  }
}
