import fc from 'fast-check';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import type { Message, TokenTransfer } from '../../../src/protocol/message.js';

const hexOf = (minLength: number, maxLength: number): fc.Arbitrary<Hex> =>
  fc.uint8Array({ minLength, maxLength }).map(bytesToHex);

const address = fc.oneof(
  { weight: 4, arbitrary: hexOf(20, 32) },
  { weight: 2, arbitrary: hexOf(0, 255) },
  { weight: 1, arbitrary: hexOf(0, 0) },
  { weight: 1, arbitrary: hexOf(255, 255) },
);
const blob = fc.oneof(
  { weight: 5, arbitrary: hexOf(0, 80) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 255, 256, 65_535).map((n): Hex => `0x${'5a'.repeat(n)}`) },
);
const extraData = fc.oneof(hexOf(0, 80), fc.constant<Hex>(`0x${'01'.repeat(60_000)}`));
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });

export const tokenTransfers: fc.Arbitrary<TokenTransfer> = fc.record({
  version: fc.constant(1 as const),
  amount: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
  sourcePoolAddress: address,
  sourceTokenAddress: address,
  destTokenAddress: address,
  tokenReceiver: address,
  extraData,
});

export const messages: fc.Arbitrary<Message> = fc.record({
  version: fc.constant(1 as const),
  sourceChainSelector: u64,
  destChainSelector: u64,
  messageNumber: u64,
  executionGasLimit: u32,
  ccipReceiveGasLimit: u32,
  finality: u32,
  ccvAndExecutorHash: hexOf(32, 32),
  onRampAddress: address,
  offRampAddress: address,
  sender: address,
  receiver: address,
  destBlob: blob,
  tokenTransfer: fc.option(tokenTransfers),
  data: blob,
});

/** Messages of a few hundred bytes, for properties that look at every byte. */
export const smallMessages: fc.Arbitrary<Message> = messages.map((message) => ({
  ...message,
  destBlob: message.destBlob.slice(0, 42) as Hex,
  data: message.data.slice(0, 42) as Hex,
  tokenTransfer: message.tokenTransfer && {
    ...message.tokenTransfer,
    extraData: message.tokenTransfer.extraData.slice(0, 42) as Hex,
  },
}));
