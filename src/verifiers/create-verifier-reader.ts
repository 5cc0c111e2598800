import { assertNever } from '../core/errors.js';
import type { AggregatorReaderOptions } from './aggregator/aggregator-reader.js';
import { createRestReader, type RestReaderOptions } from './rest-reader.js';
import type { VerifierReader } from './verifier-reader.js';

/** Options of a reader of any kind. */
export type VerifierReaderOptions =
  | (RestReaderOptions & { readonly type: 'rest' })
  | (AggregatorReaderOptions & { readonly type: 'aggregator' });

/** Creates the reader of a configured verifier by its `Type`; gRPC is loaded for an aggregator alone. */
export async function createVerifierReader(options: VerifierReaderOptions): Promise<VerifierReader> {
  switch (options.type) {
    case 'rest':
      return createRestReader(options);
    case 'aggregator':
      return (await import('./aggregator/aggregator-reader.js')).createAggregatorReader(options);
    default:
      return assertNever(options, 'verifier type');
  }
}
