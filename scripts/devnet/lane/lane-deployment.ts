import type { Hex } from '../../../src/core/hex.js';

/** Address and identity of a chain of the devnet. */
export interface DevnetChain {
  /** Short name, for tables and logs. */
  readonly name: string;
  readonly url: string;
  readonly chainId: number;
  readonly selector: bigint;
}

/** Contracts of one chain, lower-case hex. */
export interface ChainAddresses {
  readonly router: Hex;
  readonly onRamp: Hex;
  readonly offRamp: Hex;
  readonly executor: Hex;
  readonly feeToken: Hex;
  readonly token: Hex;
  readonly pool: Hex;
  /** The proxy in front of the resolver of each committee: the CCV's address in messages, by committee name. */
  readonly ccvs: Readonly<Record<string, Hex>>;
  /** Logs each message it receives. Default CCVs, finalized messages only. */
  readonly receiverLog: Hex;
  /** Requires every committee. Takes any finality. */
  readonly receiverTwoCCVs: Hex;
  /** Default CCVs. Takes any finality. */
  readonly receiverFast: Hex;
  /** Reverts on every message until told otherwise. */
  readonly receiverReverting: Hex;
}

/** One chain of a deployed lane. */
export interface ChainDeployment {
  readonly name: string;
  readonly chainId: number;
  /** Decimal: it does not fit a JSON number. */
  readonly selector: string;
  /** No message is in this block or an earlier one. */
  readonly startBlock: number;
  readonly addresses: ChainAddresses;
}

/** A committee that verifies messages in both directions. Its signers' keys follow from its name: see `keys.ts`. */
export interface CommitteeDeployment {
  readonly name: string;
  /** The first four bytes of its proofs. */
  readonly versionTag: Hex;
  readonly threshold: number;
  /** Lower-case, in key order. */
  readonly signers: readonly Hex[];
}

/** A lane in both directions: plain JSON, to be kept in the data directory beside the chains' state. */
export interface LaneDeployment {
  readonly version: 1;
  readonly chains: readonly [ChainDeployment, ChainDeployment];
  readonly committees: readonly CommitteeDeployment[];
}
