import fc from 'fast-check';
import { toBytes } from 'viem';
import { describe, expect, it } from 'vitest';
import { bytesToHex, type Hex, hexToBytes } from '../../../src/core/hex.js';
import { DISCOVERY_ONLY_TAG, isDiscoveryOnly } from '../../../src/protocol/discovery-only.js';
import { keccak256 } from '../../../src/protocol/keccak.js';
import {
  CCTP_TAG,
  COMMITTEE_TAG,
  CommitteeProofError,
  committeeDigest,
  LOMBARD_TAG,
  parseCommitteeProof,
  recoverCommitteeSigners,
  signCommitteeProof,
  verifyCommitteeProof,
} from '../../../src/protocol/signatures.js';
import { lane, vectors } from './fixtures.js';

const MESSAGE_ID: Hex = `0x${'ab'.repeat(32)}`;
const KEYS = [1, 2, 3, 4, 5].map((n) => keccak256(toBytes(`test signer ${n}`)));
const HALF_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n / 2n;

const recorded = lane.attestations.flatMap(({ messageId, label, committee1, committee2 }) =>
  [committee1, committee2].flatMap((committee) => (committee ? [{ messageId, label, committee }] : [])),
);

describe('recorded committee proofs', () => {
  it.each(recorded.map((entry) => [entry.label, entry] as const))(
    'of %s recover to ascending signers',
    async (_, entry) => {
      const { messageId, committee } = entry;
      const ccvData = hexToBytes(committee.verifierResults);
      const proof = parseCommitteeProof(ccvData);
      expect(proof.tag).toBe(committee.ccvVersion);
      expect(committeeDigest(proof.tag, messageId)).toBe(committee.signableHash);
      const signers = await recoverCommitteeSigners(messageId, ccvData);
      expect(signers).toEqual(committee.signerOrder);
      expect([...signers].sort()).toEqual(signers);
      expect(isDiscoveryOnly(ccvData)).toBe(committee.discoveryOnly);
      const verdict = await verifyCommitteeProof(messageId, ccvData, {
        tag: COMMITTEE_TAG,
        signers: committee.signerOrder,
        threshold: 2,
      });
      expect(verdict).toBe(committee.discoveryOnly ? 'invalid' : 'valid');
    },
  );

  it('have high-s signatures among them', () => {
    const all = recorded.flatMap(
      ({ committee }) => parseCommitteeProof(hexToBytes(committee.verifierResults)).signatures,
    );
    expect(all.some(({ s }) => BigInt(s) > HALF_ORDER)).toBe(true);
  });

  it('sign the digest of the vector', () => {
    const vector = vectors.find(({ signableHash }) => signableHash);
    expect(committeeDigest(vector!.verifierBlob!, vector!.messageId!)).toBe(vector!.signableHash);
  });

  it('verify as the chain did at each execution', async () => {
    const signers = [...new Set(recorded.flatMap(({ committee }) => committee.signerOrder))];
    const seen: string[] = [];
    for (const { label, messageId, args } of lane.executions) {
      const [ccvData] = args.verifierResults;
      seen.push(label);
      expect(
        await verifyCommitteeProof(messageId, hexToBytes(ccvData!), { tag: COMMITTEE_TAG, signers, threshold: 2 }),
        label,
      ).toBe(label === 'dishonest-bad-signature' ? 'invalid' : 'valid');
    }
    expect(seen).toContain('dishonest-bad-signature');
  });
});

describe('signCommitteeProof', () => {
  it('makes proofs of ascending signers whatever the order of the keys', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(KEYS, { minLength: 1 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        async (keys, id) => {
          const messageId = bytesToHex(id);
          const ccvData = await signCommitteeProof(COMMITTEE_TAG, messageId, keys);
          expect(ccvData).toHaveLength(6 + 64 * keys.length);
          const signers = await recoverCommitteeSigners(messageId, ccvData);
          expect(new Set(signers).size).toBe(keys.length);
          expect([...signers].sort()).toEqual(signers);
          const committee = { tag: COMMITTEE_TAG, signers, threshold: keys.length };
          expect(await verifyCommitteeProof(messageId, ccvData, committee)).toBe('valid');
        },
      ),
      { numRuns: 15 },
    );
  });

  it('refuses a tag or an id of the wrong size', async () => {
    await expect(signCommitteeProof('0xe9a05a', MESSAGE_ID, KEYS)).rejects.toThrow(CommitteeProofError);
    await expect(signCommitteeProof(COMMITTEE_TAG, '0xab', KEYS)).rejects.toThrow(CommitteeProofError);
  });
});

describe('verifyCommitteeProof', () => {
  const setUp = async (keys: readonly Hex[] = KEYS.slice(0, 3)) => {
    const ccvData = await signCommitteeProof(COMMITTEE_TAG, MESSAGE_ID, keys);
    return { ccvData, signers: await recoverCommitteeSigners(MESSAGE_ID, ccvData) };
  };
  const verify = (ccvData: Uint8Array, signers: readonly Hex[], threshold: number, messageId = MESSAGE_ID) =>
    verifyCommitteeProof(messageId, ccvData, { tag: COMMITTEE_TAG, signers, threshold });

  it('takes signers of either case', async () => {
    const { ccvData, signers } = await setUp();
    const upper = signers.map((signer): Hex => `0x${signer.slice(2).toUpperCase()}`);
    expect(await verify(ccvData, upper, 3)).toBe('valid');
  });

  it('looks at the first `threshold` signatures only', async () => {
    const { ccvData, signers } = await setUp();
    const broken = Uint8Array.from(ccvData).fill(0xff, 6 + 2 * 64);
    expect(await verify(broken, signers.slice(0, 2), 2)).toBe('valid');
    expect(await verify(broken, signers, 3)).toBe('invalid');
  });

  it('ignores bytes after the signatures, as the chain does', async () => {
    const { ccvData, signers } = await setUp();
    expect(await verify(Buffer.concat([ccvData, Buffer.from('more')]), signers, 3)).toBe('valid');
  });

  it('finds a stranger, another message, a missing signature invalid', async () => {
    const { ccvData, signers } = await setUp();
    expect(await verify(ccvData, signers.slice(1), 2)).toBe('invalid');
    expect(await verify(ccvData, signers, 2, `0x${'ac'.repeat(32)}`)).toBe('invalid');
    expect(await verify(ccvData, signers, 4)).toBe('invalid');
    expect(await verify(ccvData, signers, 0)).toBe('invalid');
  });

  it('finds signers out of order, or one twice, invalid', async () => {
    const { ccvData, signers } = await setUp(KEYS.slice(0, 2));
    const [first, second] = [ccvData.subarray(6, 70), ccvData.subarray(70, 134)];
    const head = ccvData.subarray(0, 6);
    expect(await verify(Buffer.concat([head, second, first]), signers, 2)).toBe('invalid');
    expect(await verify(Buffer.concat([head, first, first]), signers, 2)).toBe('invalid');
    expect(await verify(Buffer.concat([head, first, second]), signers, 2)).toBe('valid');
  });

  it('finds every truncation invalid and never throws on altered bytes', async () => {
    const { ccvData, signers } = await setUp(KEYS.slice(0, 2));
    for (let length = 0; length < ccvData.length; length++) {
      expect(await verify(ccvData.subarray(0, length), signers, 2), `${length} bytes`).toBe('invalid');
    }
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 6, max: ccvData.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const altered = Uint8Array.from(ccvData);
          altered[at] = (altered[at] ?? 0) ^ flip;
          expect(await verify(altered, signers, 2)).toBe('invalid');
        },
      ),
      { numRuns: 30 },
    );
  });

  it.each([CCTP_TAG, LOMBARD_TAG, '0x01020304' as Hex])('says unsupported for tag %s', async (tag) => {
    expect(await verify(await signCommitteeProof(tag, MESSAGE_ID, KEYS), [], 1)).toBe('unsupported');
  });

  it('tells the caller of a message id that is none', async () => {
    const { ccvData, signers } = await setUp();
    await expect(verify(ccvData, signers, 2, '0xab')).rejects.toThrow(CommitteeProofError);
  });
});

describe('parseCommitteeProof', () => {
  it.each([
    ['tag', '0xe9a05a'],
    ['length', '0xe9a05a2000'],
    ['signatures', '0xe9a05a200040ff'],
  ])('names %s when the bytes end there', (field, ccvData) => {
    expect(() => parseCommitteeProof(hexToBytes(ccvData))).toThrow(
      expect.objectContaining({ retryable: false, details: expect.objectContaining({ field }) }),
    );
  });

  it('names a signature that belongs to no key', async () => {
    const ccvData = hexToBytes(`${COMMITTEE_TAG}0040${'00'.repeat(64)}`);
    await expect(recoverCommitteeSigners(MESSAGE_ID, ccvData)).rejects.toMatchObject({
      details: { field: 'signatures[0]' },
    });
  });
});

describe('isDiscoveryOnly', () => {
  it('knows its tag', () => {
    expect(DISCOVERY_ONLY_TAG).toBe(keccak256(toBytes('CCIP1.7_MessageDiscovery_Version')).slice(0, 10));
    expect(isDiscoveryOnly(hexToBytes('0x3c4605eb00'))).toBe(true);
    expect(isDiscoveryOnly(hexToBytes('0x3c4605ec00'))).toBe(false);
  });

  it.each(['0x', '0xe9', '0xe9a05a20'])('is true for a tag alone or less: %s', (ccvData) => {
    expect(isDiscoveryOnly(hexToBytes(ccvData))).toBe(true);
  });

  it('is false as soon as something follows another tag, also in a view', () => {
    expect(isDiscoveryOnly(hexToBytes('0xe9a05a2000'))).toBe(false);
    expect(isDiscoveryOnly(hexToBytes('0x3c4605eb3c4605ebff').subarray(1))).toBe(false);
    expect(isDiscoveryOnly(hexToBytes('0xff3c4605ebff').subarray(1))).toBe(true);
  });
});
