import type { Change, ChangeSet } from '../../model/batch.js';

/**
 * Commits that a follower could not take at once, in position order. Bounded by the number of changes in it and their
 * bytes: beyond that the oldest are forgotten, which opens a gap that the follower then reads from its leader.
 */
export class CommitQueue {
  readonly #maxChanges: number;
  readonly #maxBytes: number;
  #sets: { readonly set: ChangeSet; readonly sizeBytes: number }[] = [];
  #changes = 0;
  #bytes = 0;

  constructor(maxChanges: number, maxBytes: number) {
    this.#maxChanges = maxChanges;
    this.#maxBytes = maxBytes;
  }

  get isEmpty(): boolean {
    return this.#sets.length === 0;
  }

  add(set: ChangeSet): void {
    const sizeBytes = set.changes.reduce((sum, change) => sum + bytesOf(change), 0);
    this.#sets.push({ set, sizeBytes });
    this.#changes += set.changes.length;
    this.#bytes += sizeBytes;
    while ((this.#changes > this.#maxChanges || this.#bytes > this.#maxBytes) && this.#sets.length > 1)
      this.#dropFirst();
  }

  /** Removes and returns the next set that continues at `throughPosition`; null: there is none, or a gap before it. */
  takeNext(throughPosition: bigint): ChangeSet | null {
    for (;;) {
      const first = this.#sets[0]?.set;
      if (first === undefined || first.afterPosition > throughPosition) return null;
      this.#dropFirst();
      if (first.throughPosition > throughPosition) return first;
    }
  }

  clear(): void {
    this.#sets = [];
    this.#changes = 0;
    this.#bytes = 0;
  }

  #dropFirst(): void {
    const first = this.#sets.shift();
    if (!first) return;
    this.#changes -= first.set.changes.length;
    this.#bytes -= first.sizeBytes;
  }
}

/** Bytes of contents; the rest of a change is bounded by the number of changes. */
function bytesOf({ kind, record }: Change): number {
  switch (kind) {
    case 'message':
      return record.encodedMessage.length;
    case 'verifierResult':
      return record.encodedMessage.length + record.ccvData.length;
    case 'quarantine':
      return record.raw.length + 2 * record.detail.length;
    default:
      return 0;
  }
}
