import type { Hex } from '../../core/hex.js';
import { ChainMovedError } from '../chain-errors.js';

/** A block of the part of the chain that is not final yet. */
export interface KnownBlock {
  readonly number: number;
  readonly hash: Hex;
  readonly parentHash: Hex;
  readonly timestampMs: number;
  /** Its bloom says that it may hold a message. */
  readonly mayHoldMessage: boolean;
  /** The node gave a bloom. */
  readonly hasBloom: boolean;
}

/** A block by number and hash. `hash` is null only where it is not known yet: before the first block was read. */
export interface Anchor {
  readonly number: number;
  readonly hash: Hex | null;
}

/**
 * The blocks above the base, as last seen.
 *
 * Invariant: block i's parent is block i − 1, down to the base. So one block that is still on the chain proves all
 * below it, and one that is not disproves all above it: their hashes are kept as *dropped* until their messages are
 * settled, or they come back. The reading of a block holds for as long as the block is here.
 */
export class HeaderChain {
  readonly #chain: string;
  #base: Anchor;
  #blocks: KnownBlock[] = [];
  #readThrough: number;
  readonly #dropped = new Set<Hex>();

  constructor(chain: string, base: Anchor) {
    this.#chain = chain;
    this.#base = base;
    this.#readThrough = base.number;
  }

  /** The block below the known ones. */
  get base(): Anchor {
    return this.#base;
  }

  /** The highest known block; the base when there is none above it. */
  get tip(): Anchor {
    return this.#blocks.at(-1) ?? this.#base;
  }

  /** The logs of all known blocks up to this one have been read, and their messages are stored. */
  get readThrough(): number {
    return this.#readThrough;
  }

  /** How many blocks were dropped and not settled. */
  get droppedCount(): number {
    return this.#dropped.size;
  }

  isDropped(hash: Hex): boolean {
    return this.#dropped.has(hash);
  }

  /** True when a block is known not to be on the chain: it was dropped, or another is at its height. */
  isOffChain(number: number, hash: Hex): boolean {
    return this.#dropped.has(hash) || (this.at(number) ?? { hash }).hash !== hash;
  }

  isOnChain(number: number, hash: Hex): boolean {
    return this.at(number)?.hash === hash;
  }

  at(number: number): KnownBlock | undefined {
    return this.#blocks[number - this.#base.number - 1];
  }

  /** The hash of the block at a height; null where it is not known. */
  hashAt(number: number): Hex | null {
    return number === this.#base.number ? this.#base.hash : (this.at(number)?.hash ?? null);
  }

  /** The known blocks `from` to `to`, ascending. */
  between(from: number, to: number): readonly KnownBlock[] {
    const first = this.#base.number + 1;
    return this.#blocks.slice(Math.max(0, from - first), Math.max(0, to - first + 1));
  }

  /** @throws ChainMovedError when the block does not follow the tip. */
  append(block: KnownBlock): void {
    const { number, hash } = this.tip;
    if (block.number !== number + 1 || (hash !== null && block.parentHash !== hash))
      throw new ChainMovedError(this.#chain, `block ${block.number} does not follow block ${number}`);
    if (hash === null) this.#base = { number, hash: block.parentHash };
    this.#blocks.push(block);
    this.#dropped.delete(block.hash);
  }

  /** Drops the blocks above `number`. */
  truncate(number: number): void {
    const keep = Math.max(0, number - this.#base.number);
    for (const { hash } of this.#blocks.splice(keep)) this.#dropped.add(hash);
    this.rewind(number);
  }

  /** Drops every block and goes on from another base. */
  restart(base: Anchor): void {
    this.truncate(this.#base.number);
    this.#base = base;
    this.#readThrough = base.number;
  }

  /** Moves the base up to a known block. */
  advance(base: Anchor): void {
    this.#blocks = this.#blocks.slice(base.number - this.#base.number);
    this.#base = base;
    this.#readThrough = Math.max(this.#readThrough, base.number);
  }

  noteRead(number: number): void {
    this.#readThrough = Math.max(this.#readThrough, Math.min(number, this.tip.number));
  }

  /** The logs above `number` have to be read again. */
  rewind(number: number): void {
    this.#readThrough = Math.max(this.#base.number, Math.min(this.#readThrough, number));
  }

  /** The messages of the dropped blocks are settled. */
  settle(): void {
    this.#dropped.clear();
  }
}
