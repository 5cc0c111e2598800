import { recoverAddress } from 'viem';
import { bytesToHex, type Hex, hexToBytes } from '../../../src/core/hex.js';
import { seededRandom } from '../../../src/core/random.js';
import {
  COMMITTEE_TAG,
  type CommitteeConfig,
  committeeDigest,
  parseCommitteeProof,
  recoverCommitteeSigners,
  signCommitteeProof,
  verifyCommitteeProof,
} from '../../../src/protocol/signatures.js';
import { compareInTurn, median, type Row } from '../measure.js';
import type { Bench } from '../report.js';

/** Signatures that the chain checks of each proof. */
const THRESHOLD = 4;
/** The most that a recovered signature may cost on one core, µs. */
const BOUND_US = 300;

interface Proof {
  readonly messageId: Hex;
  readonly ccvData: Uint8Array;
}

/**
 * Verdicts on proofs of a committee of four, as a share of a signature: against the bound, and against viem's recovery
 * of the same signatures alone.
 */
export const signatures: Bench = async ({ quick }) => {
  const count = quick ? 50 : 500;
  const rounds = quick ? 1 : 5;
  const { proofs, committee } = await makeProofs(count);
  const product = () => microsecondsEach(proofs, (proof) => verify(proof, committee));
  const byViem = await compareInTurn(rounds, { product, ceiling: () => microsecondsEach(proofs, recoverByViem) });
  const figures: number[] = [];
  for (let round = 0; round < rounds; round += 1) figures.push(await product());
  const ratios = figures.map((figure) => figure / BOUND_US);
  const row = { unit: 'µs', note: `${count} proofs of ${THRESHOLD} signatures` };
  const bounded: Row = {
    ...{ ...row, what: 'signature judged', product: median(figures), ceiling: BOUND_US, ratio: median(ratios) },
    ...{ spread: [Math.min(...ratios), Math.max(...ratios)], aim: { kind: 'atMost', ratio: 1 } },
  };
  return { rows: [bounded, { ...row, what: 'signature judged, beside viem', ...byViem, aim: null }] };
};

async function makeProofs(count: number): Promise<{ readonly proofs: readonly Proof[]; committee: CommitteeConfig }> {
  const random = seededRandom(12);
  const bytes = () => bytesToHex(Uint8Array.from({ length: 32 }, () => random() * 256));
  const keys = Array.from({ length: THRESHOLD }, bytes);
  const proofs: Proof[] = [];
  for (let made = 0; made < count; made += 1) {
    const messageId = bytes();
    proofs.push({ messageId, ccvData: await signCommitteeProof(COMMITTEE_TAG, messageId, keys) });
  }
  const [first] = proofs;
  const signers = first ? await recoverCommitteeSigners(first.messageId, first.ccvData) : [];
  return { proofs, committee: { tag: COMMITTEE_TAG, signers, threshold: THRESHOLD } };
}

async function verify({ messageId, ccvData }: Proof, committee: CommitteeConfig): Promise<void> {
  const verdict = await verifyCommitteeProof(messageId, ccvData, committee);
  if (verdict !== 'valid') throw new Error(`a good proof was judged ${verdict}`);
}

async function recoverByViem({ messageId, ccvData }: Proof): Promise<void> {
  const { tag, signatures: all } = parseCommitteeProof(ccvData);
  const hash = hexToBytes(committeeDigest(tag, messageId));
  for (const { r, s } of all) await recoverAddress({ hash, signature: { r, s, yParity: 0 } });
}

async function microsecondsEach(proofs: readonly Proof[], work: (proof: Proof) => Promise<void>): Promise<number> {
  const startMs = performance.now();
  for (const proof of proofs) await work(proof);
  return ((performance.now() - startMs) * 1_000) / (proofs.length * THRESHOLD);
}
