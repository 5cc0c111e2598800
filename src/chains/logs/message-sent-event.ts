import type { Hex } from '../../core/hex.js';
import { AbiReader } from './abi-reader.js';

/** Topic 0 of `CCIPMessageSent` (wire facts, section 4). */
export const MESSAGE_SENT_TOPIC: Hex = '0x371bc2ff0a006f4ef863b1d27a065d4e9f938b6d883eb154572b4aea593b32cc';

/** What is used of the data of a `CCIPMessageSent` event; all of it is checked. */
export interface MessageSentData {
  /** A view into the data. */
  readonly encodedMessage: Uint8Array;
  /** Of each receipt, in order. */
  readonly issuers: readonly Hex[];
}

/** A message has at most 255 CCVs: arrays are bounded well above that, so that a lie costs nothing. */
const MAX_ELEMENTS = 1024;

/** Places of the head's words. */
const HEAD = { feeToken: 0, tokenAmount: 32, encodedMessage: 64, receipts: 96, verifierBlobs: 128 } as const;
const RECEIPT = { issuer: 0, destGasLimit: 32, destBytesOverhead: 64, feeTokenAmount: 96, extraArgs: 128 } as const;

/**
 * Decodes the data of a `CCIPMessageSent` event: `(address feeToken, uint256 tokenAmount, bytes encodedMessage,
 * (address issuer, uint32 destGasLimit, uint32 destBytesOverhead, uint256 feeTokenAmount, bytes extraArgs)[] receipts,
 * bytes[] verifierBlobs)`. Written by hand because the general decoder takes longer than everything else together; it
 * refuses whatever that one refuses.
 * @throws AbiDecodeError
 */
export function decodeMessageSentData(data: Buffer): MessageSentData {
  const reader = new AbiReader(data);
  reader.address('feeToken', HEAD.feeToken);
  reader.word('tokenAmountBeforeTokenPoolFees', HEAD.tokenAmount);
  const encodedMessage = reader.bytes('encodedMessage', reader.follow('encodedMessage', HEAD.encodedMessage, 0));
  const issuers = readReceipts(reader, reader.follow('receipts', HEAD.receipts, 0));
  checkBlobs(reader, reader.follow('verifierBlobs', HEAD.verifierBlobs, 0));
  return { encodedMessage, issuers };
}

// elements are named without their index: a name made for each would take longer than reading it, and errors say where

function readReceipts(reader: AbiReader, at: number): readonly Hex[] {
  const base = at + 32;
  const count = reader.count('receipts', at, MAX_ELEMENTS);
  const issuers: Hex[] = [];
  for (let index = 0; index < count; index++) {
    const receipt = reader.follow('receipts[]', base + index * 32, base);
    issuers.push(reader.address('receipts[].issuer', receipt + RECEIPT.issuer));
    reader.u32('receipts[].destGasLimit', receipt + RECEIPT.destGasLimit);
    reader.u32('receipts[].destBytesOverhead', receipt + RECEIPT.destBytesOverhead);
    reader.word('receipts[].feeTokenAmount', receipt + RECEIPT.feeTokenAmount);
    reader.bytes('receipts[].extraArgs', reader.follow('receipts[].extraArgs', receipt + RECEIPT.extraArgs, receipt));
  }
  return issuers;
}

function checkBlobs(reader: AbiReader, at: number): void {
  const base = at + 32;
  const count = reader.count('verifierBlobs', at, MAX_ELEMENTS);
  for (let index = 0; index < count; index++)
    reader.bytes('verifierBlobs[]', reader.follow('verifierBlobs[]', base + index * 32, base));
}
