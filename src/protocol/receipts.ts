import { IndexerError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';

/** A message has fewer receipts than it must have. */
export class TooFewReceiptsError extends IndexerError {
  constructor(found: number, atLeast: number) {
    super('TOO_FEW_RECEIPTS', `a message has at least ${atLeast} receipts, found ${found}`, false, {
      details: { field: 'receipts', expected: `at least ${atLeast}`, found: String(found) },
    });
  }
}

/** The issuers of the receipts. */
export interface SplitReceipts {
  /** In receipt order: `verifierBlobs[i]` belongs to the i-th. */
  readonly ccvAddresses: readonly Hex[];
  /** Null without a token transfer. */
  readonly poolAddress: Hex | null;
  readonly executorAddress: Hex;
  readonly networkFeeIssuer: Hex;
}

/** The fewest receipts of any message. */
const MIN_RECEIPTS = 3;

/**
 * Splits the receipts of a `CCIPMessageSent` event by their order: the CCVs, the token pool (iff there is a token
 * transfer), the executor, the network fee (`README.md`). Addresses come back as they were given. Three
 * receipts with a token transfer are a message without CCVs: the contracts emit none, the hash check decides.
 * @throws TooFewReceiptsError with fewer than 3.
 */
export function splitReceipts(issuers: readonly Hex[], hasTokenTransfer: boolean): SplitReceipts {
  const networkFeeIssuer = issuers.at(-1);
  const executorAddress = issuers.at(-2);
  const poolAddress = hasTokenTransfer ? issuers.at(-3) : null;
  if (
    issuers.length < MIN_RECEIPTS ||
    networkFeeIssuer === undefined ||
    executorAddress === undefined ||
    poolAddress === undefined
  )
    throw new TooFewReceiptsError(issuers.length, MIN_RECEIPTS);
  return {
    ccvAddresses: issuers.slice(0, issuers.length - (hasTokenTransfer ? 3 : 2)),
    poolAddress,
    executorAddress,
    networkFeeIssuer,
  };
}
