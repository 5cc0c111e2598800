import type { Hex } from '../core/hex.js';
import { ChainMovedError } from './chain-errors.js';

/** A block of the part of the chain that is not final yet. */
export interface KnownBlock {
  readonly number: number;
  readonly hash: Hex;
  readonly parentHash: Hex;
  readonly timestampMs: number;
  /** Its bloom says that it may hold a message. */
  readonly mayHoldMessage: boolean;
}

/** The last finalized block that is done with. `hash` is null only before the first block was read. */
export interface Anchor {
  readonly number: number;
  readonly hash: Hex | null;
}

/**
 * The blocks above the anchor, as last seen.
 *
 * Invariant: block i's parent is block i − 1, down to the anchor. So one block that is still on the chain proves all
 * below it, and one that is not disproves all above it: their hashes are kept as *dropped* until what was in them has
 * been dealt with, or they come back.
 */
export class HeaderChain {
  readonly #chain: string;
  #anchor: Anchor;
  #blocks: KnownBlock[] = [];
  readonly #dropped = new Set<Hex>();

  constructor(chain: string, anchor: Anchor) {
    this.#chain = chain;
    this.#anchor = anchor;
  }

  get anchor(): Anchor {
    return this.#anchor;
  }

  /** The highest known block; the anchor when there is none above it. */
  get tip(): Anchor {
    return this.#blocks.at(-1) ?? this.#anchor;
  }

  /** How many blocks were dropped and not settled. */
  get droppedCount(): number {
    return this.#dropped.size;
  }

  /** True when a block is known not to be on the chain: it was dropped, or another is at its height. */
  isOffChain(number: number, hash: Hex): boolean {
    return this.#dropped.has(hash) || (this.at(number) ?? { hash }).hash !== hash;
  }

  at(number: number): KnownBlock | undefined {
    return this.#blocks[number - this.#anchor.number - 1];
  }

  /** The known blocks up to `number`, ascending. */
  through(number: number): readonly KnownBlock[] {
    return this.#blocks.slice(0, Math.max(0, number - this.#anchor.number));
  }

  /** @throws ChainMovedError when the block does not follow the tip. */
  append(block: KnownBlock): void {
    const { number, hash } = this.tip;
    if (block.number !== number + 1 || (hash !== null && block.parentHash !== hash))
      throw new ChainMovedError(this.#chain, `block ${block.number} does not follow block ${number}`);
    this.#blocks.push(block);
    this.#dropped.delete(block.hash);
  }

  /** Drops the blocks above `number`. */
  truncate(number: number): void {
    const keep = Math.max(0, number - this.#anchor.number);
    for (const { hash } of this.#blocks.splice(keep)) this.#dropped.add(hash);
  }

  /** Moves the anchor up. Blocks above a new anchor that is not among the known ones are forgotten, not dropped. */
  advance(anchor: Anchor): void {
    const known = this.at(anchor.number)?.hash === anchor.hash;
    this.#blocks = known ? this.#blocks.slice(anchor.number - this.#anchor.number) : [];
    this.#anchor = anchor;
  }

  /** What was in the dropped blocks has been dealt with. */
  settle(): void {
    this.#dropped.clear();
  }
}
