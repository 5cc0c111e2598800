import fc from 'fast-check';
import { keccak256 as viemKeccak256 } from 'viem';
import { describe, expect, it } from 'vitest';
import { type Hex, hexToBytes } from '../../../src/core/hex.js';
import { CCVAndExecutorHashError, computeCCVAndExecutorHash } from '../../../src/protocol/ccv-and-executor-hash.js';
import { computeMessageId, keccak256 } from '../../../src/protocol/keccak.js';
import { splitReceipts } from '../../../src/protocol/receipts.js';
import { lane, vectors } from './fixtures.js';

describe('keccak256', () => {
  it('has the known answers', () => {
    expect(keccak256(new Uint8Array(0))).toBe('0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470');
    expect(keccak256(Buffer.from('abc'))).toBe('0x4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45');
  });

  it('agrees with another implementation at every length around the block size', () => {
    for (let length = 0; length <= 3 * 136 + 1; length++) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 31 + length) & 0xff);
      expect(keccak256(bytes), `${length} bytes`).toBe(viemKeccak256(bytes));
    }
  });

  it('hashes large inputs and views into larger buffers', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 10, maxLength: 500 }),
        fc.integer({ min: 1, max: 200 }),
        (bytes, times) => {
          const large = Buffer.concat(Array.from({ length: times }, () => bytes));
          const view = large.subarray(3, large.length - 2);
          expect(keccak256(view)).toBe(viemKeccak256(Uint8Array.from(view)));
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('message id', () => {
  it('is the recorded one for every message of the lane', () => {
    for (const { event } of lane.messages) {
      expect(computeMessageId(hexToBytes(event.encodedMessage))).toBe(event.messageId);
    }
  });

  it('is the recorded one for every vector', () => {
    const withIds = vectors.filter((vector) => vector.decoded);
    expect(withIds.length).toBeGreaterThan(1);
    for (const { encodedMessage, messageId, messageIdInFile } of withIds) {
      expect(computeMessageId(hexToBytes(encodedMessage!))).toBe(messageId ?? messageIdInFile);
    }
  });
});

describe('ccvAndExecutorHash', () => {
  const ADDRESS: Hex = `0x${'11'.repeat(20)}`;

  it('is the one in every recorded message, from its receipts', () => {
    for (const { split, decodedMessage } of lane.messages) {
      expect(computeCCVAndExecutorHash(split.ccvAddresses, split.executorAddress)).toBe(
        decodedMessage.ccvAndExecutorHash,
      );
    }
  });

  it('is the recorded one for every vector', () => {
    let checked = 0;
    for (const vector of vectors) {
      if (vector.ccvs && vector.executor) {
        expect(computeCCVAndExecutorHash(vector.ccvs, vector.executor)).toBe(vector.ccvAndExecutorHash);
        checked++;
      }
      if (vector.receipts) {
        const { ccvs, executor } = vector.receipts;
        expect(computeCCVAndExecutorHash(ccvs, executor)).toBe(vector.decoded?.ccvAndExecutorHash);
        checked++;
      }
    }
    expect(checked).toBe(2);
  });

  it('depends on the order of the CCVs and on who is the executor', () => {
    const other: Hex = `0x${'22'.repeat(20)}`;
    const hashes = [
      computeCCVAndExecutorHash([ADDRESS, other], ADDRESS),
      computeCCVAndExecutorHash([other, ADDRESS], ADDRESS),
      computeCCVAndExecutorHash([ADDRESS, ADDRESS], other),
    ];
    expect(new Set(hashes).size).toBe(3);
  });

  it('takes 255 CCVs and no CCV', () => {
    expect(computeCCVAndExecutorHash(Array<Hex>(255).fill(ADDRESS), ADDRESS)).toMatch(/^0x[0-9a-f]{64}$/);
    expect(computeCCVAndExecutorHash([], ADDRESS)).toMatch(/^0x[0-9a-f]{64}$/);
  });

  const wrong: readonly [string, readonly Hex[], Hex][] = [
    ['ccvs', Array<Hex>(256).fill(ADDRESS), ADDRESS],
    ['ccvs[1]', [ADDRESS, `0x${'11'.repeat(32)}`], ADDRESS],
    ['ccvs[0]', [ADDRESS], `0x${'11'.repeat(32)}`],
    ['ccvs[0]', ['0x1' as Hex], ADDRESS],
    ['executor', [], `0x${'11'.repeat(256)}`],
    ['executor', [], 'nonsense' as Hex],
  ];

  it.each(wrong)('refuses what cannot be hashed, naming %s', (field, ccvs, executor) => {
    const failure = (): unknown => computeCCVAndExecutorHash(ccvs, executor);
    expect(failure).toThrow(CCVAndExecutorHashError);
    expect(failure).toThrow(expect.objectContaining({ retryable: false, details: expect.objectContaining({ field }) }));
  });
});

describe('splitReceipts', () => {
  it('splits every recorded message as recorded, one verifier blob per CCV', () => {
    for (const { label, event, split, decodedMessage } of lane.messages) {
      const issuers = event.receipts.map((receipt) => receipt.issuer);
      const found = splitReceipts(issuers, decodedMessage.tokenTransfer.length > 0);
      expect(found, label).toEqual(split);
      expect(found.ccvAddresses).toHaveLength(event.verifierBlobs.length);
    }
  });

  it.each([0, 1, 2])('refuses %i receipts', (count) => {
    for (const hasTokenTransfer of [false, true]) {
      expect(() => splitReceipts(Array<Hex>(count).fill('0x11'), hasTokenTransfer)).toThrow(
        expect.objectContaining({ code: 'TOO_FEW_RECEIPTS', retryable: false }),
      );
    }
  });

  it('finds no CCV in three receipts of a token transfer', () => {
    expect(splitReceipts(['0x01', '0x02', '0x03'], true)).toEqual({
      ccvAddresses: [],
      poolAddress: '0x01',
      executorAddress: '0x02',
      networkFeeIssuer: '0x03',
    });
  });
});
