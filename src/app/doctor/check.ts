import type { CheckedConfig } from '../../config/load.js';
import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import type { Evidence, FindingChanges, FindingKind } from './finding.js';
import type { PresentMove } from './present-move.js';

/** The means of every check. */
export interface Means {
  /** By which processes work now: in the present phase of a move. */
  readonly config: Config;
  /** Null: none is configured. */
  readonly move: PresentMove | null;
  readonly warnings: CheckedConfig['warnings'];
  readonly common: Common;
  /** A check reads everything at any cost; else samples. */
  readonly isFull: boolean;
}

/** One look of a check: it tells findings as it goes, so that those before a failure or a time limit stand. */
export interface Look<Id extends string = string> extends Means {
  /** Aborts at the time limit of the check, and when the doctor is stopped. */
  readonly signal: AbortSignal;
  /** Tells a finding; `changes` replace parts of its kind. */
  found(id: Id, subject: string, evidence?: Evidence, changes?: FindingChanges): void;
  /**
   * Looks at each item, side by side. An item that could not be looked at is the finding `not-checked`, and takes none
   * of the others with it. `nameOf` gives the subject.
   */
  each<T>(items: readonly T[], nameOf: (item: T) => string, look: (item: T) => Promise<void>): Promise<void>;
}

/** One check of the doctor. It only reads. */
export interface Check {
  /** For `--only`. */
  readonly name: string;
  /** The things that it looks at, for people. */
  readonly about: string;
  /** The kinds of its findings, by id. */
  readonly kinds: Readonly<Record<string, FindingKind>>;
  run(look: Look): Promise<void>;
}

/** A check whose findings are of its own kinds. */
export function defineCheck<Id extends string>(check: {
  readonly name: string;
  readonly about: string;
  readonly kinds: Readonly<Record<Id, FindingKind>>;
  run(look: Look<Id>): Promise<void>;
}): Check {
  return check as Check;
}
