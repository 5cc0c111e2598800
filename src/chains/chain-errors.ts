import { IndexerError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';

/**
 * A block that was final, and whose messages are stored as such, is no longer on the chain. The watcher of that chain
 * stops: what is right to do is for a person to decide.
 */
export class FinalizedReorgError extends IndexerError {
  constructor(facts: {
    readonly chain: string;
    readonly blockNumber: number;
    readonly expectedHash: Hex;
    readonly actualHash: Hex;
    /** Indexes of the URLs that gave the other hash. */
    readonly urls: readonly number[];
  }) {
    const { chain, blockNumber, expectedHash, actualHash } = facts;
    super(
      'FINALIZED_REORG',
      `chain ${chain}: finalized block ${blockNumber} was ${expectedHash} and is now ${actualHash}. This chain is stopped, ` +
        'others go on. Check with a block explorer which hash is right. If the RPC nodes are wrong, replace them in ' +
        `RpcUrls and restart: indexing goes on where it stood. If the chain was really reorganised below its finality, ` +
        'its messages from there on must be indexed anew: point the configuration at a new Namespace and restart',
      false,
      { details: facts },
    );
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
  /** `chainIds`: what each URL said, null for one that has not answered. */
  constructor(chain: string, chainIds: readonly (number | null)[]) {
    const told = chainIds.map(
      (chainId, url) => `URL ${url} ${chainId === null ? 'has not answered' : `says ${chainId}`}`,
    );
    super(
      'CHAIN_UNKNOWN',
      `chain ${chain}: it is not certain which chain this is, so nothing is read. Its selector is not in the public list, ` +
        `no ChainID is configured, and the RPC URLs do not all agree (${told.join(', ')}): set ChainID to the id that is right`,
      true,
      { details: { chain, chainIds } },
    );
  }
}

/** OnRamps of one chain that were read together are at different blocks now: another process reads some of them alone. */
export class OnRampsApartError extends IndexerError {
  constructor(selector: bigint, heights: readonly (bigint | null)[]) {
    super(
      'ON_RAMPS_APART',
      `chain ${selector}: its OnRamps have been read up to different blocks (${heights.map(String).join(', ')})`,
      true,
      { details: { selector: String(selector), heights: heights.map(String) } },
    );
  }
}
