import type { Clock } from '../core/clock.js';
import type { Hex } from '../core/hex.js';
import { ChainMovedError } from './chain-errors.js';
import { FinalityView, finalityDepth, lastReadableBlock } from './finality-view.js';
import { FinalizedCheck } from './finalized-check.js';
import type { HeaderChain } from './header-chain.js';
import { syncHeaders } from './header-sync.js';
import type { KnownMessages } from './known-messages.js';
import type { BloomTest } from './log-bloom.js';
import type { RpcClient } from './rpc-client.js';
import type { ChainHeads, RpcNode } from './rpc-node.js';
import type { VanishedCheck } from './vanished-messages.js';
import type { WatchedChain } from './watched-chain.js';
import type { WatcherJournal } from './watcher-journal.js';
import type { WindowReader, WindowReading } from './window-reader.js';

/** What one look at the chain asks for. */
export type ChainView =
  | { readonly kind: 'behind'; readonly finalized: number; readonly head: number }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'window'; readonly reading: WindowReading; readonly range: WindowRange };

/** The blocks that were read, and up to where they are final. */
export interface WindowRange {
  readonly from: number;
  readonly to: number;
  readonly finalized: number;
}

/** Further behind than that, finalized blocks are read in ranges without looking at each. */
const FOLLOW_BLOCKS = 128;
const DEFAULT_HALT_AFTER_MS = 900_000;
/** A chain that moves between two questions that often in a row does not move: its node contradicts itself. */
const MAX_MOVES_IN_A_ROW = 3;

/** Looks at the chain through one node at a time. Remembers nothing that a node said: what is stored is the anchor. */
export class ChainViewer {
  readonly #chain: WatchedChain;
  readonly #finality: FinalityView;
  readonly #finalizedCheck: FinalizedCheck;
  readonly #journal: WatcherJournal;
  readonly #mayHoldMessage: BloomTest;
  readonly #checkVanished: VanishedCheck;
  #movesInARow = 0;

  constructor(options: {
    readonly chain: WatchedChain;
    readonly rpc: RpcClient;
    readonly journal: WatcherJournal;
    readonly mayHoldMessage: BloomTest;
    readonly checkVanished: VanishedCheck;
    readonly clock: Clock;
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
  }

  /**
   * Asks `node` where the chain stands, and reads the window when it is near. Changes `headers` only.
   * @throws RpcError, ChainMovedError, FinalizedReorgError
   */
  async look(
    node: RpcNode,
    known: { readonly headers: HeaderChain; readonly window: WindowReader; readonly messages: KnownMessages },
    signal: AbortSignal,
  ): Promise<ChainView> {
    const { headers } = known;
    const { anchor, tip } = headers;
    const asked = new Set([anchor, tip].filter(({ hash }) => hash !== null).map(({ number }) => number));
    const heads = await node.heads([...asked]);
    if (anchor.hash !== null) await this.#checkAnchor(node, anchor.number, anchor.hash, heads, signal);
    const finalized = await this.#finalized(node, heads, anchor.hash === null ? -1 : anchor.number, signal);
    if (finalized - anchor.number > FOLLOW_BLOCKS) return { kind: 'behind', finalized, head: heads.latest.number };

    const to = lastReadableBlock(this.#chain.confirmations, heads, finalized);
    const range: WindowRange = { from: anchor.number + 1, to, finalized };
    if (range.to < range.from) return { kind: 'nothing' };
    try {
      // a stored message above the range is looked after as well, where the node can tell
      const highest = Math.min(heads.latest.number, known.messages.highestBlock);
      await this.#syncHeaders(node, headers, heads, Math.max(range.to, highest));
      await this.#confirmFinal(node, headers, heads, finalized);
      const reading = await known.window.read(node, headers, range.to, signal);
      await this.#checkGone(node, headers, known.messages, reading, range, signal);
      this.#movesInARow = 0;
      return { kind: 'window', range, reading };
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

  async #syncHeaders(node: RpcNode, headers: HeaderChain, heads: ChainHeads, to: number): Promise<void> {
    const given = [heads.latest, heads.safe, heads.finalized, ...heads.blocks].filter((block) => block !== null);
    await syncHeaders(node, headers, to, given, this.#mayHoldMessage);
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
    messages: KnownMessages,
    reading: WindowReading,
    { from, to }: WindowRange,
    signal: AbortSignal,
  ): Promise<void> {
    const { gone } = messages.compare(reading.messages, { from, to }, (number, hash) =>
      headers.isOffChain(number, hash),
    );
    const blockStays = gone.filter(({ blockNumber, blockHash }) => headers.at(blockNumber)?.hash === blockHash);
    await this.#checkVanished(node, blockStays, signal);
  }
}
