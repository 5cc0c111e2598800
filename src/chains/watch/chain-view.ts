import type { Clock } from '../../core/clock.js';
import type { Hex } from '../../core/hex.js';
import { ChainMovedError } from '../chain-errors.js';
import type { ChainCursor } from '../chain-port.js';
import type { BloomTest } from '../logs/log-bloom.js';
import type { ChainHeads, RpcNode } from '../rpc/rpc-node.js';
import type { RpcPool } from '../rpc/rpc-pool.js';
import type { ChainWindow } from './chain-window.js';
import { FinalityView, finalityDepth, lastReadableBlock } from './finality-view.js';
import { FinalizedCheck } from './finalized-check.js';
import type { HeaderChain } from './header-chain.js';
import { syncHeaders } from './header-sync.js';
import type { BlockRange, KnownRecords } from './known-records.js';
import type { VanishedCheck } from './vanished-records.js';
import type { WatchedChain } from './watched-chain.js';
import type { WatcherJournal } from './watcher-journal.js';
import type { WindowReader, WindowReading } from './window-reader.js';

/** The outcome of one look at the chain. */
export type ChainView =
  | { readonly kind: 'behind'; readonly finalized: number; readonly head: number }
  | { readonly kind: 'nothing' }
  | WindowView;

/** The linked blocks of the window, in line with the node, and the records that were read of them. */
export interface WindowView {
  readonly kind: 'window';
  readonly reading: WindowReading;
  /** Blocks that were read: new ones, and those that become final, once more. */
  readonly ranges: readonly BlockRange[];
  /** Through here the linked blocks are read now. */
  readonly to: number;
  readonly finalized: number;
  readonly head: number;
  /** All blocks are linked that there are to read, and that stored records are from. */
  readonly isLinkedThrough: boolean;
}

/** Further behind than that, finalized blocks are read in ranges without looking at each. */
const FOLLOW_BLOCKS = 128;
/** Blocks that one look links at most: some ten requests. */
const DEFAULT_LINK_BLOCKS = 512;
const DEFAULT_HALT_AFTER_MS = 900_000;
/** A chain that moves between two questions that often in a row does not move: its node contradicts itself. */
const MAX_MOVES_IN_A_ROW = 3;

/** Looks at the chain through one node at a time. The anchor is stored; no answer of a node is remembered. */
export class ChainViewer {
  readonly #chain: WatchedChain;
  readonly #finality: FinalityView;
  readonly #finalizedCheck: FinalizedCheck;
  readonly #journal: WatcherJournal;
  readonly #mayHoldMessage: BloomTest;
  readonly #checkVanished: VanishedCheck;
  readonly #linkBlocks: number;
  #movesInARow = 0;

  constructor(options: {
    readonly chain: WatchedChain;
    readonly rpc: RpcPool;
    readonly journal: WatcherJournal;
    readonly mayHoldMessage: BloomTest;
    readonly checkVanished: VanishedCheck;
    readonly clock: Clock;
    /** Blocks that one look links at most. Default 512. */
    readonly linkBlocks?: number | undefined;
  }) {
    const { chain, rpc, clock } = options;
    this.#chain = chain;
    const depth = finalityDepth(chain.confirmations, chain.minFinalityDepth);
    this.#finality = new FinalityView({ depth, rpc, clock });
    const haltAfterMs = chain.haltAfterMs ?? DEFAULT_HALT_AFTER_MS;
    this.#finalizedCheck = new FinalizedCheck({ chain: chain.name, rpc, clock, haltAfterMs });
    this.#journal = options.journal;
    this.#mayHoldMessage = options.mayHoldMessage;
    this.#checkVanished = options.checkVanished;
    this.#linkBlocks = options.linkBlocks ?? DEFAULT_LINK_BLOCKS;
  }

  noteLastHalt(halt: ChainCursor | null): void {
    this.#finalizedCheck.noteLastHalt(halt);
  }

  /**
   * Asks `node` where the chain stands, and reads the new blocks of the window when it is near. Changes `window`
   * only: which blocks are linked, not through which they are read.
   * @throws RpcError, ChainMovedError, FinalizedReorgError, FinalizedDisputedError
   */
  async look(
    node: RpcNode,
    known: { readonly window: ChainWindow; readonly reader: WindowReader; readonly records: KnownRecords },
    signal: AbortSignal,
  ): Promise<ChainView> {
    const { window, records } = known;
    const { anchor, headers } = window;
    const asked = new Set([anchor, headers.tip].filter(({ hash }) => hash !== null).map(({ number }) => number));
    const heads = await node.heads([...asked]);
    if (anchor.hash !== null) await this.#checkAnchor(node, anchor.number, anchor.hash, heads, signal);
    const finalized = await this.#finalized(node, heads, anchor.hash === null ? -1 : anchor.number, signal);
    const head = heads.latest.number;
    if (finalized - window.readThrough > FOLLOW_BLOCKS) return { kind: 'behind', finalized, head };

    const target = lastReadableBlock(this.#chain.confirmations, heads, finalized);
    if (target <= anchor.number) return { kind: 'nothing' };
    try {
      if (window.isInDoubt || !(await areMarksOn(node, window, finalized))) await window.settleDoubt(node);
      window.startNear(target, this.#linkBlocks);
      // a stored record above the target is looked after as well, where the node can tell
      const highest = Math.max(target, Math.min(head, records.highestBlock));
      await this.#syncHeaders(node, window, heads, highest);
      await this.#confirmFinal(node, headers, heads, finalized);
      const to = Math.min(target, headers.tip.number);
      if (to < headers.base.number) return { kind: 'nothing' };
      const ranges = rangesToRead(window, to, finalized);
      const reading = await known.reader.read(node, headers, ranges, signal);
      await this.#checkGone(node, headers, records, reading, ranges, signal);
      this.#movesInARow = 0;
      const isLinkedThrough = headers.tip.number >= highest;
      return { kind: 'window', reading, ranges, to, finalized, head, isLinkedThrough };
    } catch (thrown) {
      if (!(thrown instanceof ChainMovedError) || ++this.#movesInARow < MAX_MOVES_IN_A_ROW) throw thrown;
      this.#movesInARow = 0;
      throw node.invalid(`answers that contradict each other: ${thrown.message}`);
    }
  }

  async #checkAnchor(
    node: RpcNode,
    blockNumber: number,
    expectedHash: Hex,
    heads: ChainHeads,
    signal: AbortSignal,
  ): Promise<void> {
    const found = heads.blocks.find((block) => block?.number === blockNumber);
    if (!found) throw node.missing(blockNumber);
    if (!this.#journal.hasProcessed) this.#journal.processed(blockNumber, found.timestampMs);
    if (found.hash === expectedHash) this.#finalizedCheck.agreed();
    else await this.#finalizedCheck.decide(node, { blockNumber, expectedHash }, found.hash, signal);
  }

  /** The finalized block that the node tells of, or the stored one: that is final whatever a node says. */
  async #finalized(node: RpcNode, heads: ChainHeads, stored: number, signal: AbortSignal): Promise<number> {
    const { block, basis } = await this.#finality.of(node, heads, signal);
    const finalized = Math.max(block ?? -1, stored);
    if (finalized > heads.latest.number) throw node.missing(finalized);
    this.#journal.heads(heads, finalized);
    this.#journal.finality(basis, lastReadableBlock(this.#chain.confirmations, heads, finalized) > stored);
    return finalized;
  }

  async #syncHeaders(node: RpcNode, window: ChainWindow, heads: ChainHeads, highest: number): Promise<void> {
    const { headers } = window;
    const given = [heads.latest, heads.safe, heads.finalized, ...heads.blocks].filter((block) => block !== null);
    const sync = () => {
      const to = Math.min(highest, headers.tip.number + this.#linkBlocks);
      return syncHeaders(node, headers, to, given, this.#mayHoldMessage);
    };
    if (!(await sync())) {
      await window.fallBack(node);
      if (!(await sync())) throw new ChainMovedError(this.#chain.name, 'it forks ever lower');
    }
    const { finalized } = heads;
    const known = finalized && headers.at(finalized.number);
    if (known && known.hash !== finalized.hash)
      throw new ChainMovedError(this.#chain.name, `finalized block ${finalized.number} has two hashes`);
  }

  /** The last block that is final becomes the cursor: a hash that is wrong in one answer contradicts a second. */
  async #confirmFinal(node: RpcNode, headers: HeaderChain, heads: ChainHeads, finalized: number): Promise<void> {
    const final = headers.at(finalized);
    if (!final || headers.tip.number > finalized) return;
    const numbers = heads.latest.number > finalized ? [finalized, finalized + 1] : [finalized];
    const [again, child] = await node.headers(numbers);
    if (again?.hash !== final.hash || (child && child.parentHash !== final.hash))
      throw new ChainMovedError(this.#chain.name, `finalized block ${finalized} has two hashes`);
  }

  async #checkGone(
    node: RpcNode,
    headers: HeaderChain,
    records: KnownRecords,
    reading: WindowReading,
    ranges: readonly BlockRange[],
    signal: AbortSignal,
  ): Promise<void> {
    const gone = records.gone(reading, ranges, headers);
    const blockStays = gone.filter(({ blockNumber, blockHash }) => headers.isOnChain(blockNumber, blockHash));
    await this.#checkVanished(node, blockStays, signal);
  }
}

/**
 * Whether the mark that the cursor may move to is still on the chain. While the gap is read nothing links the marks to
 * the blocks above it: a reorg may have replaced them before they became final.
 */
async function areMarksOn(node: RpcNode, window: ChainWindow, finalized: number): Promise<boolean> {
  const mark = window.isWhole ? null : window.markUpTo(finalized);
  if (mark === null || mark.hash === null) return true;
  const [header] = await node.headers([mark.number]);
  return header?.hash === mark.hash;
}

/**
 * Every block is read when it is new, and once more before the cursor passes it: a node may tell of a block before it
 * has its logs.
 */
function rangesToRead({ anchor, headers, isWhole }: ChainWindow, to: number, finalized: number): BlockRange[] {
  const { base, readThrough } = headers;
  const again = { from: Math.max(anchor.number, base.number) + 1, to: Math.min(finalized, readThrough, to) };
  const fresh = { from: readThrough + 1, to };
  return [...(isWhole ? [again] : []), fresh].filter((range) => range.from <= range.to);
}
