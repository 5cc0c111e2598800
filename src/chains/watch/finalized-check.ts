import type { Clock } from '../../core/clock.js';
import type { Hex } from '../../core/hex.js';
import { FinalizedDisputedError, FinalizedReorgError } from '../chain-errors.js';
import type { ChainCursor } from '../chain-port.js';
import type { FinalizedClaim } from '../finalized-dispute.js';
import { RpcError } from '../rpc/rpc-errors.js';
import type { RpcNode } from '../rpc/rpc-node.js';
import type { RpcPool } from '../rpc/rpc-pool.js';

interface Claim extends FinalizedClaim {
  /** On the monotonic clock, as is `heardMs`. */
  readonly begunMs: number;
  readonly heardMs: number;
}

/** A claim that a node does not repeat within this time begins anew. */
const REPEATED_WITHIN_MS = 60_000;

/**
 * Decides whether a finalized block changed. Each node in turn is asked for its hash:
 *
 * 1. two nodes or more agree on another hash, and fewer have the old one: it changed;
 * 2. else, some node has the old hash: the node that has not is at fault;
 * 3. else, one node has said so for `haltAfterMs`, and nothing else meanwhile, or the chain halted for this very hash
 *    before: it changed;
 * 4. else it is disputed: nothing is read until one of these holds. A good node may only be away for a while.
 */
export class FinalizedCheck {
  readonly #chain: string;
  readonly #rpc: RpcPool;
  readonly #clock: Clock;
  readonly #haltAfterMs: number;
  #claims = new Map<number, Claim>();
  #lastHalt: ChainCursor | null = null;

  constructor(options: {
    readonly chain: string;
    readonly rpc: RpcPool;
    readonly clock: Clock;
    readonly haltAfterMs: number;
  }) {
    this.#chain = options.chain;
    this.#rpc = options.rpc;
    this.#clock = options.clock;
    this.#haltAfterMs = options.haltAfterMs;
  }

  /** Where the chain halted before this process began, so that a restart halts in the same way. */
  noteLastHalt(halt: ChainCursor | null): void {
    this.#lastHalt = halt;
  }

  /** A node has the hash that was expected: the claims of the others begin anew. */
  agreed(): void {
    this.#claims.clear();
  }

  /**
   * Called when `node` has another hash at a height that was final.
   * @throws FinalizedReorgError when it changed, RpcInvalidAnswerError (of `node`) when the node is at fault,
   * FinalizedDisputedError when that is open.
   */
  async decide(
    node: RpcNode,
    { blockNumber, expectedHash }: { readonly blockNumber: number; readonly expectedHash: Hex },
    actualHash: Hex,
    signal: AbortSignal,
  ): Promise<never> {
    const others = this.#rpc.others(node, signal);
    const hashes = await Promise.all(others.map((other) => hashAt(other, blockNumber)));
    const heard = new Map<number, Hex>([[node.index, actualHash]]);
    for (const [index, hash] of hashes.entries()) if (hash !== null) heard.set(others[index]?.index ?? -1, hash);
    if (heard.size === 1 && (await hashAt(node, blockNumber)) !== actualHash)
      throw node.invalid(`finalized block ${blockNumber} differs from answer to answer`);

    const holders = [...heard].filter(([, hash]) => hash === expectedHash);
    const claims = this.#note(heard, expectedHash);
    const facts = { chain: this.#chain, blockNumber, expectedHash };
    const agreeing = largestGroup(claims);
    if (agreeing.length > 1 && agreeing.length > holders.length)
      throw new FinalizedReorgError({ ...facts, claims: agreeing });
    if (holders.length > 0) {
      this.agreed();
      throw node.invalid(`finalized block ${blockNumber} is ${actualHash}, another node has ${expectedHash}`);
    }
    const [oldest] = claims;
    const waitMs = this.#haltAfterMs - this.#ageMs();
    const isKnown = Number(this.#lastHalt?.height) === blockNumber && this.#lastHalt?.hash === oldest?.hash;
    if (oldest && (waitMs <= 0 || isKnown))
      throw new FinalizedReorgError({ ...facts, claims: claims.filter(({ hash }) => hash === oldest.hash) });
    const silentUrls = others.map(({ index }) => index).filter((index) => !heard.has(index));
    const haltsAtMs = Math.round(this.#clock.nowMs() + waitMs);
    throw new FinalizedDisputedError(this.#chain, { blockNumber, expectedHash, claims, silentUrls, haltsAtMs });
  }

  /** For how long the oldest claim has stood. */
  #ageMs(): number {
    const begunMs = Math.min(...[...this.#claims.values()].map((claim) => claim.begunMs));
    return this.#clock.monotonicMs() - begunMs;
  }

  /** The claims as of now, the oldest first. */
  #note(heard: ReadonlyMap<number, Hex>, expectedHash: Hex): readonly FinalizedClaim[] {
    const heardMs = this.#clock.monotonicMs();
    const claims = new Map<number, Claim>();
    for (const [url, hash] of heard) {
      if (hash === expectedHash) continue;
      const before = this.#claims.get(url);
      const repeats = before?.hash === hash && heardMs - before.heardMs <= REPEATED_WITHIN_MS;
      const { begunMs, sinceMs } = repeats ? before : { begunMs: heardMs, sinceMs: this.#clock.nowMs() };
      claims.set(url, { url, hash, sinceMs, begunMs, heardMs });
    }
    this.#claims = claims;
    return [...claims.values()]
      .sort((a, b) => a.begunMs - b.begunMs || a.url - b.url)
      .map(({ url, hash, sinceMs }) => ({ url, hash, sinceMs }));
  }
}

/** The claims of the hash that most agree on. */
function largestGroup(claims: readonly FinalizedClaim[]): readonly FinalizedClaim[] {
  const groups = [...new Set(claims.map(({ hash }) => hash))].map((of) => claims.filter(({ hash }) => hash === of));
  return groups.reduce((largest, group) => (group.length > largest.length ? group : largest), []);
}

/** Null when the node cannot tell. */
async function hashAt(node: RpcNode, blockNumber: number): Promise<Hex | null> {
  try {
    const [header] = await node.headers([blockNumber]);
    return header?.hash ?? null;
  } catch (thrown) {
    if (thrown instanceof RpcError) return null;
    throw thrown;
  }
}
