import type { Boundary } from '../../model/boundary.js';

const MIN_DISTANCE = 256n;

/**
 * Boundaries, at most one for 256 positions. A boundary stays true: a record above it in time was committed after it,
 * and positions of changes only rise.
 */
export class BoundaryLog {
  #boundaries: Boundary[] = [];

  /** Notes a boundary at or above all before. */
  add(boundary: Boundary): void {
    const last = this.#boundaries.at(-1);
    if (!last || boundary.position - last.position >= MIN_DISTANCE) this.#boundaries.push(boundary);
  }

  /** The highest for which `below` holds; it must hold up to some boundary and for none above. */
  last(below: (boundary: Boundary) => boolean): Boundary | undefined {
    let low = 0;
    let high = this.#boundaries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (below(this.#boundaries[middle] as Boundary)) low = middle + 1;
      else high = middle;
    }
    return this.#boundaries[low - 1];
  }

  /** Forgets those below a position. */
  dropBelow(position: bigint): void {
    const first = this.#boundaries.findIndex((boundary) => boundary.position >= position);
    this.#boundaries = first === -1 ? [] : this.#boundaries.slice(first);
  }
}
