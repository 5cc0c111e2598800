import type { Hex } from '../core/hex.js';

/**
 * A CCIP message, version 1, decoded (`README.md`). Byte fields are lower-case hex, 0x for empty. EVM
 * source-side addresses (onRamp, sender, sourcePool, sourceToken) are 32 bytes left-padded, destination-side ones raw;
 * an address is opaque bytes of up to 255.
 */
export interface Message {
  readonly version: 1;
  readonly sourceChainSelector: bigint;
  readonly destChainSelector: bigint;
  /** Called `sequence_number` in JSON. */
  readonly messageNumber: bigint;
  readonly executionGasLimit: number;
  readonly ccipReceiveGasLimit: number;
  /** The four finality bytes as an unsigned number: see `parseFinality`. */
  readonly finality: number;
  readonly ccvAndExecutorHash: Hex;
  readonly onRampAddress: Hex;
  readonly offRampAddress: Hex;
  readonly sender: Hex;
  readonly receiver: Hex;
  readonly destBlob: Hex;
  readonly tokenTransfer: TokenTransfer | null;
  readonly data: Hex;
}

/** The one token transfer a message may carry, version 1. */
export interface TokenTransfer {
  readonly version: 1;
  /** In the token's smallest unit, up to 256 bits. */
  readonly amount: bigint;
  readonly sourcePoolAddress: Hex;
  readonly sourceTokenAddress: Hex;
  readonly destTokenAddress: Hex;
  readonly tokenReceiver: Hex;
  readonly extraData: Hex;
}

/** A direction between two chains. */
export interface Lane {
  readonly sourceChainSelector: bigint;
  readonly destChainSelector: bigint;
}
