import type { Hex } from '../core/hex.js';

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
  /** Absent or null: not judged. Two results may be equal with different ones: that of the first is stored. */
  readonly verdict?: SignatureVerdict | null;
}

/** The judgement of a verifier result's signatures by the rules of the destination chain. */
export interface SignatureVerdict {
  /** `unsupported`: no check is defined for its version tag. */
  readonly verdict: (typeof SIGNATURE_VERDICTS)[number];
  /** The destination's block as of which the verifier's configuration was read; 0 on a chain without EVM contracts. */
  readonly configBlock: bigint;
}

/** The judgements of signatures; rows hold their index. */
export const SIGNATURE_VERDICTS = ['valid', 'invalid', 'unsupported'] as const;

/** The states of a message on its destination chain, in the order of their numbers in the contract. */
export const EXECUTION_STATES = ['untouched', 'in-progress', 'success', 'failure'] as const;

/**
 * One change of a message's state on its destination chain, as a log of the OffRamp tells it (`README.md`). Its
 * identity is (messageId, blockHash, logIndex). `failure` is not final: a later execution can succeed.
 */
export interface Execution {
  readonly messageId: Hex;
  readonly sourceChainSelector: bigint;
  readonly destChainSelector: bigint;
  readonly messageNumber: bigint;
  readonly offRamp: Hex;
  readonly state: (typeof EXECUTION_STATES)[number];
  /** The receiver's or the pool's error, empty without one. */
  readonly returnData: Uint8Array;
  /** The place of the log on the destination chain. */
  readonly place: LogPlace;
}

/** Where on its source chain a message was found. */
export type MessageOrigin = LogPlace;

/** Where on a chain a log was found. */
export interface LogPlace {
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
