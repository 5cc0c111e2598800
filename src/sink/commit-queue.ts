import type { ChangeSet } from '../storage/batch.js';

/**
 * Commits that a follower could not take at once, in position order. Bounded by the number of changes in it: beyond
 * that the oldest are forgotten, which opens a gap that the follower then reads from its leader.
 */
export class CommitQueue {
  readonly #maxChanges: number;
  #sets: ChangeSet[] = [];
  #changes = 0;

  constructor(maxChanges: number) {
    this.#maxChanges = maxChanges;
  }

  get isEmpty(): boolean {
    return this.#sets.length === 0;
  }

  add(set: ChangeSet): void {
    this.#sets.push(set);
    this.#changes += set.changes.length;
    while (this.#changes > this.#maxChanges && this.#sets.length > 1) this.#dropFirst();
  }

  /** Removes and returns the next set that continues at `throughPosition`; null when there is none or a gap comes first. */
  takeNext(throughPosition: bigint): ChangeSet | null {
    for (;;) {
      const first = this.#sets[0];
      if (first === undefined || first.afterPosition > throughPosition) return null;
      this.#dropFirst();
      if (first.throughPosition > throughPosition) return first;
    }
  }

  clear(): void {
    this.#sets = [];
    this.#changes = 0;
  }

  #dropFirst(): void {
    const first = this.#sets.shift();
    if (first) this.#changes -= first.changes.length;
  }
}
