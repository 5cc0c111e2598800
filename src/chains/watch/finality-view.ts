import type { Clock } from '../../core/clock.js';
import { RpcError } from '../rpc/rpc-errors.js';
import type { ChainHeads, RpcNode } from '../rpc/rpc-node.js';
import type { RpcPool } from '../rpc/rpc-pool.js';

/** Which blocks are read: up to the finalized one, the safe one, the latest, or that many blocks below the latest. */
export type Confirmations = 'finalized' | 'safe' | 'latest' | number;

/**
 * The basis of finality: the `finalized` tag, bounded by a depth where one is configured · the depth alone, where no
 * node knows the tag · nothing (`unknown`).
 */
export type FinalityBasis = 'tag' | 'depth' | 'unknown';

/** The highest final block by the word of one node; null when it cannot tell. */
export interface Finality {
  readonly block: number | null;
  readonly basis: FinalityBasis;
}

/** How often URLs that gave no answer are asked again whether they know the tag. */
const ASK_AGAIN_MS = 60_000;

/** Blocks that a final one must have above it: a number of confirmations is one as well. */
export function finalityDepth(confirmations: Confirmations, minFinalityDepth = 0): number {
  return Math.max(minFinalityDepth, typeof confirmations === 'number' ? confirmations : 0);
}

/**
 * Tells which blocks are final. A tag may claim too much (some nodes answer `finalized` with the latest block), so
 * that a depth bounds it; a node may not know it at all, and then the depth takes its place. It does so only where no
 * URL that answers knows the tag: beside one that does, a node without it says nothing about finality.
 */
export class FinalityView {
  readonly #depth: number;
  readonly #rpc: RpcPool;
  readonly #clock: Clock;
  readonly #withoutTag = new Set<number>();
  #isTagKnown = false;
  #askOthersAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: { readonly depth: number; readonly rpc: RpcPool; readonly clock: Clock }) {
    this.#depth = options.depth;
    this.#rpc = options.rpc;
    this.#clock = options.clock;
  }

  /** The highest final block by `heads`, the word of `node`. */
  async of(node: RpcNode, { latest, finalized }: ChainHeads, signal: AbortSignal): Promise<Finality> {
    const deepEnough = latest.number - this.#depth;
    if (finalized) {
      this.#isTagKnown = true;
      return { block: Math.min(finalized.number, deepEnough), basis: 'tag' };
    }
    this.#withoutTag.add(node.index);
    if (!this.#isTagKnown) await this.#askOthers(node, signal);
    if (this.#isTagKnown) return { block: null, basis: 'tag' };
    return this.#depth > 0 ? { block: deepEnough, basis: 'depth' } : { block: null, basis: 'unknown' };
  }

  async #askOthers(node: RpcNode, signal: AbortSignal): Promise<void> {
    const others = this.#rpc.others(node, signal).filter(({ index }) => !this.#withoutTag.has(index));
    const nowMs = this.#clock.monotonicMs();
    if (others.length === 0 || nowMs < this.#askOthersAtMs) return;
    this.#askOthersAtMs = nowMs + ASK_AGAIN_MS;
    await Promise.all(
      others.map(async (other) => {
        try {
          if ((await other.heads([])).finalized) this.#isTagKnown = true;
          else this.#withoutTag.add(other.index);
        } catch (thrown) {
          // one that gives no answer is asked again later
          if (!(thrown instanceof RpcError)) throw thrown;
        }
      }),
    );
  }
}

/**
 * The last block to read. Never below `finalized`; a chain without a safe
 * block is read up to the finalized one (see `src/protocol/README.md`).
 */
export function lastReadableBlock(confirmations: Confirmations, heads: ChainHeads, finalized: number): number {
  switch (confirmations) {
    case 'finalized':
      return finalized;
    case 'safe':
      return Math.max(finalized, heads.safe?.number ?? finalized);
    case 'latest':
      return heads.latest.number;
    default:
      return Math.max(finalized, heads.latest.number - confirmations);
  }
}

/** For people: why a chain on which nothing becomes final is not indexed as it should be, and the setting to change. */
export function finalityProblem(confirmations: Confirmations, isAnythingRead: boolean): string {
  return isAnythingRead
    ? 'no RPC URL tells a finalized block: messages are read, but none becomes final, and every start reads them all ' +
        "again. Set MinFinalityDepth to the blocks after which this chain's blocks stay, for example 64, or add a " +
        'URL that knows the tag'
    : `no RPC URL tells a finalized block, and Confirmations = "${confirmations}" reads nothing without it. Set ` +
        "Confirmations to the blocks after which this chain's blocks stay, for example 64, or add a URL " +
        'that knows the tag';
}
