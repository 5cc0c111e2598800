import { ChainMovedError } from '../chain-errors.js';
import type { RangeReading } from '../logs/range-reader.js';
import type { RpcNode } from '../rpc/rpc-node.js';
import { type Anchor, HeaderChain } from './header-chain.js';

const HEADERS_AT_ONCE = 50;

/**
 * The blocks above the last final one that is done with, and how far they have been read.
 *
 * ```
 *   anchor   mark   mark   mark         base   linked blocks   tip
 *   ├────────┴──────┴──────┴── … ───────┼──────────────────────┤
 *     read in ranges, oldest first        each block known, each read once
 * ```
 *
 * After a start only the last blocks are linked, however wide the window is, so that new messages are found at once.
 * The *gap* below is read in ranges, beside that; each range follows the one before, and the last one ends at the
 * base, by hash. From then on one look at the tip proves the whole window, because a hash stands for every block
 * below it. The marks are where ranges ended: they are where a fork below the base is looked for, and where the
 * cursor may stand.
 */
export class ChainWindow {
  readonly headers: HeaderChain;
  readonly #chain: string;
  /** Ascending; the first is the anchor, through the last one the gap is read. */
  #marks: Anchor[];
  /** A range did not follow the one before: which marks are still on the chain has to be found out. */
  #isInDoubt = false;

  constructor(chain: string, anchor: Anchor) {
    this.#chain = chain;
    this.#marks = [anchor];
    this.headers = new HeaderChain(chain, anchor);
  }

  /** The last finalized block that is done with. */
  get anchor(): Anchor {
    return this.#marks[0] as Anchor;
  }

  /** Through here the gap is read. */
  get mark(): Anchor {
    return this.#marks.at(-1) as Anchor;
  }

  /** No gap is left to be read. */
  get isWhole(): boolean {
    return this.mark.number >= this.headers.base.number;
  }

  get isInDoubt(): boolean {
    return this.#isInDoubt;
  }

  /** Everything up to here is read. */
  get readThrough(): number {
    return this.isWhole ? this.headers.readThrough : this.mark.number;
  }

  /** Links no more than the last `linkBlocks` up to `to`, when nothing is linked yet. */
  startNear(to: number, linkBlocks: number): void {
    const { headers } = this;
    const isFresh = headers.tip.number === headers.base.number && headers.droppedCount === 0;
    if (isFresh && to - headers.base.number > linkBlocks) headers.restart({ number: to - linkBlocks, hash: null });
  }

  /** @throws ChainMovedError unless the range lies between the mark and the base. */
  checkFollows({ from, to, parentHash, hash }: RangeReading): void {
    const { mark, headers } = this;
    const follows = mark.number === from - 1 && (mark.hash === null || mark.hash === parentHash);
    const meets = to !== headers.base.number || headers.base.hash === null || headers.base.hash === hash;
    if (follows && meets) return;
    this.#isInDoubt = true;
    throw new ChainMovedError(this.#chain, `blocks ${from} to ${to} are not between blocks that were read before`);
  }

  /** The range is stored. */
  addRange({ to, hash }: RangeReading): void {
    this.#marks.push({ number: to, hash });
  }

  /** The highest block that the cursor may stand at when blocks through `finalized` are final and `read` are read. */
  finalThrough(finalized: number, read: number): Anchor {
    const highest = Math.min(finalized, read);
    if (this.isWhole && highest > this.headers.base.number) {
      const block = this.headers.at(highest);
      if (block) return { number: block.number, hash: block.hash };
    }
    return this.#marks.findLast(({ number, hash }) => number <= highest && hash !== null) ?? this.anchor;
  }

  /** The cursor stands at a block of the window. */
  advance(anchor: Anchor): void {
    this.#marks = [anchor, ...this.#marks.filter(({ number }) => number > anchor.number)];
    if (anchor.number >= this.headers.base.number) this.headers.advance(anchor);
  }

  /** The highest mark up to block `number` that the cursor may move to; null: none above the anchor. */
  markUpTo(number: number): Anchor | null {
    return this.#marks.findLast((mark) => mark.number <= number && mark.number > this.anchor.number) ?? null;
  }

  /** True when a block is where the window has it, or in the gap, of which no more is known. */
  holds({ number, hash }: Anchor): boolean {
    const { base, tip } = this.headers;
    if (number < base.number) return true;
    return number <= tip.number && this.headers.hashAt(number) === hash;
  }

  /** The blocks above `number` have to be read again. */
  rewind(number: number): void {
    if (number < this.headers.base.number) this.#dropMarks((mark) => mark.number <= number);
    else this.headers.rewind(number);
  }

  /** Goes back to the marks that `node` has on its chain. */
  async settleDoubt(node: RpcNode): Promise<void> {
    const above = this.#marks.slice(1);
    let highest = this.anchor.number;
    for (let end = above.length; end > 0; end -= HEADERS_AT_ONCE) {
      const some = above.slice(Math.max(0, end - HEADERS_AT_ONCE), end);
      const headers = await node.headers(some.map(({ number }) => number));
      const common = some.findLast(({ hash }, index) => headers[index]?.hash === hash);
      if (!common) continue;
      highest = common.number;
      break;
    }
    this.#dropMarks(({ number }) => number <= highest);
    this.#isInDoubt = false;
  }

  /** The chain forked below the base: goes on from the last block that `node` has as it was. */
  async fallBack(node: RpcNode): Promise<void> {
    await this.settleDoubt(node);
    this.headers.restart(this.mark);
  }

  #dropMarks(isKept: (mark: Anchor) => boolean): void {
    this.#marks = [this.anchor, ...this.#marks.slice(1).filter(isKept)];
  }
}
