import { conflictIdentity } from '../identity.js';
import type { Conflict } from '../records.js';
import type { Known } from './known.js';

/** What a batch has done so far. */
export interface Progress {
  /** Conflicts met, recorded ones too. */
  readonly conflicts: Conflict[];
  changed: boolean;
}

/** The part of a commit's plan that concerns conflicts: each is told to its writer, and recorded once. */
export class ConflictPlanner {
  /** Conflicts of which is not known whether they are recorded. */
  readonly lacking: Conflict[] = [];
  readonly #known: Known;
  readonly #planned = new Map<string, Conflict>();

  constructor(known: Known) {
    this.#known = known;
  }

  /** The conflicts to record. */
  planned(): readonly Conflict[] {
    return [...this.#planned.values()];
  }

  met(conflict: Conflict, progress: Progress): void {
    progress.conflicts.push(conflict);
    const identity = conflictIdentity(conflict);
    if (this.#planned.has(identity)) return;
    const isRecorded = this.#known.hasConflict(conflict);
    if (isRecorded === undefined) this.lacking.push(conflict);
    if (isRecorded) return;
    this.#planned.set(identity, conflict);
    progress.changed = true;
  }
}
