import type { SourceAnswer } from './source-answers.js';

/** The answer of one part, or why there is none. */
export type Asked<T> = { readonly value: T } | { readonly unavailable: string };

/** One verifier or aggregator, asked now. */
export interface InspectedSource {
  readonly name: string;
  readonly kind: 'verifier' | 'aggregator';
  readonly answer: Asked<SourceAnswer>;
}
