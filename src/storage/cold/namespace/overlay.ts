import type { Hex } from '../../../core/hex.js';
import { messageAsResult, resultIdentity } from '../../../model/identity.js';
import type { RowKey } from '../rows/row-kind.js';

/**
 * The identities of all overlay rows of one table, with their positions. A row is dropped wherever it is found when a
 * higher position is known for its identity. Views of different ages share one of these: each asks as of its own
 * position.
 *
 * Memory: about 400 bytes an overlay row, whatever the size of the table. Compaction bounds their number: it folds
 * superseding rows into a file once a fifth of it is superseded. A table that is never compacted has one for each
 * change of a record that was flushed before. Views from before a compaction keep the overlay of then until they are
 * let go.
 */
export class Overlay {
  /** Ascending positions of an identity; a single one, by far the most common, has no list. */
  readonly #positions = new Map<string, bigint | bigint[]>();
  /** Files whose rows are in here. */
  readonly #files = new Set<string>();
  /** Times of which rows may be superseded: of records that never moved. */
  readonly #points: number[] = [];
  #pointsAreSorted = true;
  /** The spans of records that may have moved: any time between the two. */
  readonly #spans: { readonly fromMs: number; readonly toMs: number }[] = [];

  /** Rows that supersede, or may. */
  get size(): number {
    return this.#positions.size;
  }

  hasFile(uri: string): boolean {
    return this.#files.has(uri);
  }

  /** The files in here; all of them must still be in the table for this overlay to serve it. */
  get files(): ReadonlySet<string> {
    return this.#files;
  }

  addFile(uri: string, keys: Iterable<RowKey>): void {
    if (this.#files.has(uri)) return;
    this.#files.add(uri);
    for (const key of keys) this.#add(key);
  }

  /** True when a row with a higher position takes this one's place, as of a view. */
  supersedes(key: RowKey, viewPosition: bigint): boolean {
    if (this.#positions.size === 0) return false;
    const last = this.#lastOf(resultIdentity(key), viewPosition);
    return last !== undefined && last > key.position;
  }

  /** Position of the present row of a message, as of a view; undefined when no overlay row knows it. */
  positionOfMessage(messageId: Hex, viewPosition: bigint): bigint | undefined {
    return this.#lastOf(resultIdentity(messageAsResult(messageId)), viewPosition);
  }

  /** False when no row with an ingestion time in the range is superseded by anything. */
  touches(fromMs: number, toMs: number): boolean {
    if (this.#spans.some((span) => span.fromMs <= toMs && span.toMs >= fromMs)) return true;
    return this.pointsIn(fromMs, toMs) > 0;
  }

  /**
   * The number of rows of records that never moved with an ingestion time in the range: about so many rows of other
   * files are superseded there.
   */
  pointsIn(fromMs: number, toMs: number): number {
    if (!this.#pointsAreSorted) {
      this.#points.sort((a, b) => a - b);
      this.#pointsAreSorted = true;
    }
    return this.#pointsBelow(toMs + 1) - this.#pointsBelow(fromMs);
  }

  #pointsBelow(ms: number): number {
    let low = 0;
    let high = this.#points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#points[middle] ?? 0) < ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #add(key: RowKey): void {
    const identity = resultIdentity(key);
    const known = this.#positions.get(identity);
    if (known === undefined) this.#positions.set(identity, key.position);
    else {
      const all = typeof known === 'bigint' ? [known, key.position] : [...known, key.position];
      this.#positions.set(
        identity,
        all.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
      );
    }
    if (key.firstMs === key.ingestionMs) {
      this.#points.push(key.ingestionMs);
      this.#pointsAreSorted = false;
    } else this.#spans.push({ fromMs: key.firstMs, toMs: key.ingestionMs });
  }

  #lastOf(identity: string, viewPosition: bigint): bigint | undefined {
    const known = this.#positions.get(identity);
    if (known === undefined || typeof known === 'bigint')
      return known !== undefined && known <= viewPosition ? known : undefined;
    return known.findLast((position) => position <= viewPosition);
  }
}
