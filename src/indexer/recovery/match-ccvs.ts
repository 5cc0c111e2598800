import type { Hex } from '../../core/hex.js';

/** The CCVs of a message on both chains; addresses in one form (`canonicalAddress`). */
export interface CCVsOfMessage {
  /** By which the message names them. */
  readonly sources: readonly Hex[];
  /** Whose proofs its destination chain accepted. */
  readonly dests: readonly Hex[];
  /** The source addresses that a CCV of the destination is known to have. */
  readonly known: (dest: Hex) => ReadonlySet<Hex>;
  /** CCVs that the owner of the OffRamp set for the lane. */
  readonly ofLane: ReadonlySet<Hex>;
}

/**
 * The address on the source chain of each CCV on the destination chain, where it is certain; no contract tells it. In
 * this order: it is known; both are equal; each chain has one left, and that on the destination is one that the owner
 * of its OffRamp set. A receiver chooses its other CCVs freely, also such as have nothing to do with those of the
 * message: nothing follows from one of them being left.
 */
export function matchCCVs({ sources, dests, known, ofLane }: CCVsOfMessage): ReadonlyMap<Hex, Hex> {
  const matched = new Map<Hex, Hex>();
  const free = new Set(sources);
  const match = (dest: Hex, source: Hex) => {
    matched.set(dest, source);
    free.delete(source);
  };
  for (const dest of dests) {
    const [source, ...others] = [...known(dest)].filter((each) => free.has(each));
    if (source !== undefined && others.length === 0) match(dest, source);
  }
  for (const dest of dests) if (!matched.has(dest) && free.has(dest)) match(dest, dest);
  const [dest, ...others] = dests.filter((each) => !matched.has(each));
  const [source] = free;
  if (dest !== undefined && others.length === 0 && source !== undefined && free.size === 1 && ofLane.has(dest))
    match(dest, source);
  return matched;
}
