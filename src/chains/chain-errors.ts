import { IndexerError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import type { FinalizedClaim, FinalizedDispute } from './finalized-dispute.js';

/**
 * A block that was final, and whose messages are stored as such, is no longer on the chain. The watcher of that chain
 * stops: a person decides how to go on.
 */
export class FinalizedReorgError extends IndexerError {
  readonly blockNumber: number;
  /** The hash that the block has now. */
  readonly actualHash: Hex;
  constructor(facts: {
    readonly chain: string;
    readonly blockNumber: number;
    readonly expectedHash: Hex;
    /** Of those that agree on the other hash, the oldest first; at least one. */
    readonly claims: readonly FinalizedClaim[];
  }) {
    const { chain, blockNumber, expectedHash, claims } = facts;
    const actualHash = claims[0]?.hash ?? '0x';
    const urls = claims.map(({ url }) => url);
    super(
      'FINALIZED_REORG',
      `chain ${chain}: finalized block ${blockNumber} was ${expectedHash} and is now ${actualHash}, by the word of ` +
        `${claims.map(describeClaim).join(' and ')}. This chain is stopped, others go on. Check with a block ` +
        'explorer which hash is right. If the RPC nodes are wrong, replace them in RpcUrls and restart: indexing ' +
        'goes on where it stood. If the chain was really reorganised, stop the workers, run ' +
        `'ccv-indexer chain resume ${chain} --from <block>' ` +
        'with the first block that is not what it was, and start them again: the range is read anew, and ' +
        'what is gone from the chain leaves the lists',
      false,
      { details: { ...facts, actualHash, urls } },
    );
    this.blockNumber = blockNumber;
    this.actualHash = actualHash;
  }
}

/**
 * A node alone has another hash for a block that was final, and no node that answers has the old one: wait for
 * another.
 */
export class FinalizedDisputedError extends IndexerError {
  readonly dispute: FinalizedDispute;
  constructor(chain: string, dispute: FinalizedDispute) {
    const { blockNumber, expectedHash, claims, silentUrls, haltsAtMs } = dispute;
    const silent = silentUrls.length === 0 ? '' : `, RPC URL ${silentUrls.join(', ')} does not answer`;
    super(
      'FINALIZED_DISPUTED',
      `chain ${chain}: finalized block ${blockNumber} was ${expectedHash}, and ` +
        `${claims.map((claim) => `${describeClaim(claim)} has ${claim.hash}`).join(', ')}${silent}. Nothing is read ` +
        `until another node answers; without one the chain halts at ${new Date(haltsAtMs).toISOString()} (HaltAfter)`,
      true,
      { details: { chain, ...dispute } },
    );
    this.dispute = dispute;
  }
}

/** The chain moved between two questions to the same node. Asking again gives one picture. */
export class ChainMovedError extends IndexerError {
  constructor(chain: string, what: string) {
    super('CHAIN_MOVED', `chain ${chain} moved while it was read: ${what}`, true, { details: { chain } });
  }
}

/** Nothing tells which chain the nodes of a chain are of: nothing is read until it is clear. */
export class ChainUnknownError extends IndexerError {
  /** `chainIds`: by URL; null for one that has not answered. */
  constructor(chain: string, chainIds: readonly (number | null)[]) {
    const told = chainIds.map(
      (chainId, url) => `URL ${url} ${chainId === null ? 'has not answered' : `says ${chainId}`}`,
    );
    super(
      'CHAIN_UNKNOWN',
      `chain ${chain}: it is not certain which chain this is, so nothing is read. Its selector is not in the public ` +
        `list, no ChainID is configured, and the RPC URLs do not all agree (${told.join(', ')}): ` +
        'set ChainID to the id that is right',
      true,
      { details: { chain, chainIds } },
    );
  }
}

/**
 * Ramps of one chain that were read together are at different blocks now: another process reads some of them alone.
 */
export class RampsApartError extends IndexerError {
  constructor(selector: bigint, heights: readonly (bigint | null)[]) {
    super(
      'RAMPS_APART',
      `chain ${selector}: its ramps have been read up to different blocks (${heights.map(String).join(', ')})`,
      true,
      { details: { selector: String(selector), heights: heights.map(String) } },
    );
  }
}

function describeClaim({ url, sinceMs }: FinalizedClaim): string {
  return `RPC URL ${url} since ${new Date(sinceMs).toISOString()}`;
}
