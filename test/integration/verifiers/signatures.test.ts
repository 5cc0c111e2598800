import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Hex, hexToBytes } from '../../../src/core/hex.js';
import { seededRandom } from '../../../src/core/random.js';
import { COMMITTEE_TAG } from '../../../src/protocol/signatures.js';
import {
  KEYS,
  MEMBERS,
  ORDER,
  proofOf,
  STRANGER,
  signatureOf,
  signed,
  unfolded,
} from '../../support/chain/committee-proofs.js';
import { type JudgedChain, OTHER_SOURCE, openJudgedChain, SOURCE } from '../../support/chain/judged-chain.js';
import { lane } from '../../unit/protocol/fixtures.js';

const OTHER_TAG: Hex = '0x49ff34ed';
const NO_TAG: Hex = '0x01020304';

let judged: JudgedChain;

beforeAll(async () => {
  judged = await openJudgedChain();
});
afterAll(() => judged?.close());

describe('a proof is judged as the real contract does', () => {
  it('whatever is wrong with it', async () => {
    const [a, b, c] = MEMBERS as [(typeof KEYS)[0], (typeof KEYS)[0], (typeof KEYS)[0]];
    const two = await signed([a, b]);
    const [first, second] = [signatureOf(two, 0), signatureOf(two, 1)];
    const three = await signed([a, b, c]);
    const strange = await signed([a, STRANGER]);
    const flipped = Uint8Array.from(two);
    flipped[40] = (flipped[40] ?? 0) ^ 1;
    const zeros = Buffer.alloc(64);
    const beyond = Buffer.concat([first.subarray(0, 32), hexToBytes(`0x${ORDER.toString(16)}`)]);
    const spoiled = Buffer.concat([first, second, zeros]);
    const cases: Readonly<Record<string, [Uint8Array, boolean]>> = {
      'two members': [two, true],
      'three members': [three, true],
      'a flipped byte': [flipped, false],
      'a wrong signer': [strange, false],
      'descending order': [proofOf([second, first]), false],
      'a signature twice': [proofOf([first, first]), false],
      'too few': [proofOf([first]), false],
      'no signature': [proofOf([]), false],
      'no length': [hexToBytes(COMMITTEE_TAG), false],
      'no byte': [new Uint8Array(), false],
      'a length beyond the end': [proofOf([first, second], COMMITTEE_TAG, 192), false],
      'v = 28 unfolded': [proofOf([unfolded(first), second]), false],
      'bytes behind the length': [Buffer.concat([two, Buffer.from('more')]), true],
      'a rest of a signature': [Buffer.concat([proofOf([first, second], COMMITTEE_TAG, 130), Buffer.alloc(2)]), true],
      'a bad one behind the threshold': [proofOf([spoiled], COMMITTEE_TAG, 192), true],
      'a signature of zeros': [proofOf([zeros, first]), false],
      's at the order of the curve': [proofOf([beyond, second]), false],
      'a tag without a verifier': [await signed([a, b], NO_TAG), false],
      'another tag on good signatures': [Buffer.concat([hexToBytes(OTHER_TAG), two.subarray(4)]), false],
    };
    const named = Object.entries(cases);
    const said = await Promise.all(named.map(async ([name, [ccvData]]) => [name, await judged.bothSay({ ccvData })]));
    expect(said).toEqual(named.map(([name, [, accepted]]) => [name, accepted]));
    const highS = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const messageId: Hex = `0x${String(index).repeat(64)}`;
        const ccvData = await signed([a, b], COMMITTEE_TAG, messageId);
        expect(await judged.bothSay({ ccvData, messageId })).toBe(true);
        return [0, 1].some((at) => signatureOf(ccvData, at)[32]! >= 0x80);
      }),
    );
    expect(highS).toContain(true);
    expect(await judged.bothSay({ ccvData: two, messageId: `0x${'ac'.repeat(32)}` })).toBe(false);
    expect(await judged.bothSay({ ccvData: two, source: OTHER_SOURCE })).toBe(false);
    expect(await judged.bothSay({ ccvData: two, resolver: judged.ccv.resolver })).toBe(true);
    expect(await judged.bothSay({ ccvData: two, resolver: judged.verifier })).toBe(false);
    expect(await judged.bothSay({ ccvData: two, resolver: STRANGER.address })).toBe(false);
  });

  it('and mutated at random, some hundreds of times', async () => {
    const random = seededRandom(7);
    const pick = (below: number) => Math.floor(random() * below);
    const proofs = await Promise.all(
      Array.from({ length: 400 }, async () => {
        const keys = KEYS.filter(() => random() < 0.6);
        const bytes = Buffer.from(await signed(keys, random() < 0.9 ? COMMITTEE_TAG : OTHER_TAG));
        const kind = pick(5);
        if (kind === 1) bytes[pick(bytes.length)] = pick(256);
        if (kind === 2) return bytes.subarray(0, pick(bytes.length + 1));
        if (kind === 3) return Buffer.concat([bytes, Buffer.alloc(pick(80), pick(256))]);
        if (kind === 4) bytes.writeUInt16BE(pick(bytes.length + 8), 4);
        return bytes;
      }),
    );
    const accepted = await Promise.all(proofs.map((ccvData) => judged.bothSay({ ccvData })));
    expect(accepted.filter(Boolean).length).toBeGreaterThan(50);
    expect(accepted.filter((each) => !each).length).toBeGreaterThan(50);
  });

  it('that was recorded from real chains', async () => {
    const recorded = lane.attestations.flatMap(({ messageId, committee1, committee2 }) =>
      [committee1, committee2].flatMap((each) => (each && !each.discoveryOnly ? [{ messageId, ...each }] : [])),
    );
    const tags = [...new Set(recorded.map(({ ccvVersion }) => ccvVersion))];
    const verifiers = Object.fromEntries(
      await inOrder(tags, async (tag) => [tag, await judged.chain.deployVerifier(tag)] as const),
    );
    const { proxy: resolver } = await judged.chain.deployResolver(verifiers);
    for (const tag of tags) {
      const proofs = recorded.filter(({ ccvVersion }) => ccvVersion === tag);
      const signers = [...new Set(proofs.flatMap(({ signerOrder }) => signerOrder))];
      const threshold = Math.min(...proofs.map(({ signerOrder }) => signerOrder.length));
      await judged.chain.setQuorum(verifiers[tag]!, SOURCE, { signers, threshold });
    }
    const honest = recorded.map(({ messageId, verifierResults }) => ({ messageId, proof: verifierResults }));
    const executed = lane.executions.map(({ messageId, args }) => ({ messageId, proof: args.verifierResults[0]! }));
    const said = await Promise.all(
      [...honest, ...executed].map(({ messageId, proof }) =>
        judged.bothSay({ ccvData: hexToBytes(proof), messageId, resolver }),
      ),
    );
    const expected = lane.executions.map(({ label }) => label !== 'dishonest-bad-signature');
    expect(said).toEqual([...honest.map(() => true), ...expected]);
  });

  it('with the block of the configuration', async () => {
    const found = await judged.judge({ ccvData: await signed(MEMBERS.slice(0, 2)) });
    expect(found).toMatchObject({ verdict: 'valid' });
    expect(found!.configBlock).toBeGreaterThan(0n);
  });
});

async function inOrder<T, R>(values: readonly T[], work: (value: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const value of values) results.push(await work(value));
  return results;
}
