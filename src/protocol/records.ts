import type { Hex } from '../core/hex.js';

/** The judgement of a destination chain's rules on the signatures of a result. */
export interface SignatureVerdict {
  /** `unsupported`: a verifier checks it whose rules are not known here. */
  readonly verdict: 'valid' | 'invalid' | 'unsupported';
  /** The destination's block as of which the verifier's configuration was read; 0 on a chain without EVM contracts. */
  readonly configBlock: bigint;
}

/**
 * One verifier's attestation for one message. Its identity is (messageId, verifierSourceAddress, verifierDestAddress).
 * Addresses and ids are lower-case hex; addresses are opaque bytes of 0 to 255.
 */
export interface VerifierResult {
  /** keccak256 of `encodedMessage`, 32 bytes. Storages trust it; the edge that takes input from outside checks it. */
  readonly messageId: Hex;
  readonly verifierSourceAddress: Hex;
  readonly verifierDestAddress: Hex;
  /** The message's canonical bytes (version 1). Storages read the two selectors from bytes 1..17. */
  readonly encodedMessage: Uint8Array;
  /** The CCVs that the message names, in receipt order. */
  readonly messageCCVAddresses: readonly Hex[];
  readonly messageExecutorAddress: Hex;
  /** The proof for the chain, opaque. */
  readonly ccvData: Uint8Array;
  /** When the verifier attested, unix ms, as the verifier says. Two results may be equal with different ones. */
  readonly attestationMs: number;
  /** The configured name of the reader that brought it. Two results may be equal with different ones. */
  readonly verifierName: string;
  /** Absent: its signatures were not judged. */
  readonly verdict?: SignatureVerdict;
}

/** Where on its source chain a message was found. */
export interface MessageOrigin {
  readonly blockNumber: bigint;
  readonly blockHash: Hex;
  readonly blockTimestampMs: number;
  readonly transactionHash: Hex;
  readonly logIndex: number;
}

/** A message to store. Its identity is its id. `NewMessage<MessageOrigin>` was read from a chain. */
export interface NewMessage<Origin extends MessageOrigin | null = MessageOrigin | null> {
  readonly messageId: Hex;
  readonly encodedMessage: Uint8Array;
  readonly messageCCVAddresses: readonly Hex[];
  readonly messageExecutorAddress: Hex;
  /** Null when it was not read from the chain. */
  readonly origin: Origin;
}
