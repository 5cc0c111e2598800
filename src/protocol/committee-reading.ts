import { IndexerError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import type { CommitteeConfig } from './signatures.js';

/** Whose committee checks a proof: the resolver at the destination gives the verifier of its tag. */
export interface CommitteeQuestion {
  readonly sourceChainSelector: bigint;
  readonly destChainSelector: bigint;
  /** The CCV's address on the destination chain. */
  readonly resolver: Hex;
  /** The first 4 bytes of the proof. */
  readonly tag: Hex;
}

/**
 * What a destination chain says of proofs with a tag, as of a block of it.
 * - `committee`: it checks them against this committee
 * - `refused`: it takes none, whatever it says · `foreign`: a verifier of another kind checks them
 */
export type CommitteeReading =
  | { readonly kind: 'committee'; readonly block: bigint; readonly committee: CommitteeConfig }
  | { readonly kind: 'refused' | 'foreign'; readonly block: bigint; readonly reason: string };

/**
 * How far back a reading may lie: `recent` is some seconds, `now` is not before the question. For `now`, a question
 * waits up to a second for others.
 */
export type Freshness = 'recent' | 'now';

/** Reads committees from destination chains. */
export interface CommitteeReader {
  /**
   * Null where no node of the destination is known.
   * @throws CommitteeUnreadableError when no node of it can tell, or not in time.
   */
  read(question: CommitteeQuestion, freshness: Freshness): Promise<CommitteeReading | null>;
}

/** No node of a destination chain tells the configuration of a committee now. */
export class CommitteeUnreadableError extends IndexerError {
  constructor(chain: string, cause: unknown) {
    super(
      'COMMITTEE_UNREADABLE',
      `chain ${chain} cannot be asked for the configuration of a committee now: signatures to it are not judged`,
      true,
      { cause, details: { chain } },
    );
  }
}
