/** A key of the Go indexer in a configuration, and its place here. */
export interface ExplainedKey {
  /** As the file spells it, for example `Verifier[0].Since`. */
  readonly path: string;
  /** The value without secrets; empty where none is given. */
  readonly value: string;
  /** `the same key`, the name of another, the value that it was given, or `nothing`. */
  readonly became: string;
  readonly note: string;
}

/** `became` of a key without a meaning here. */
export const NOTHING = 'nothing';
