import { sign } from 'viem/accounts';
import { IndexerError } from '../core/errors.js';
import { bytesToHex, type Hex, hexToBytes, isHex } from '../core/hex.js';
import { DISCOVERY_ONLY_TAG } from './discovery-only.js';
import { keccak256 } from './keccak.js';
import { loadSignerRecovery, type RecoverSigner } from './signer-recovery.js';

/** Version tag of `CommitteeVerifier 2.0.0` in tests; a deployment may have others. */
export const COMMITTEE_TAG: Hex = '0xe9a05a20';
/** Version tag of CCTP verifiers: no signature check is defined here. */
export const CCTP_TAG: Hex = '0x91b3338e';
/** Version tag of Lombard verifiers: no signature check is defined here. */
export const LOMBARD_TAG: Hex = '0x5b9253ce';

const TAG_BYTES = 4;
const LENGTH_BYTES = 2;
const WORD_BYTES = 32;
const SIGNATURE_BYTES = 2 * WORD_BYTES;
const MAX_SIGNATURES = Math.floor(0xffff / SIGNATURE_BYTES);
const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** Bytes are no committee proof, or one cannot be made. `details` holds `field`, `expected`, `found`. */
export class CommitteeProofError extends IndexerError {
  constructor(field: string, expected: string, found: string, cause?: unknown) {
    super('COMMITTEE_PROOF', `committee proof: ${field}: expected ${expected}, found ${found}`, false, {
      details: { field, expected, found },
      cause,
    });
  }
}

/** A signature without v, which is always 27: half of them are high-s. */
export interface CommitteeSignature {
  readonly r: Hex;
  readonly s: Hex;
}

/** A committee verifier's `ccv_data`: `tag[4] ‖ u16 L ‖ L bytes of (r[32] ‖ s[32])` (`README.md`). */
export interface CommitteeProof {
  readonly tag: Hex;
  readonly signatures: readonly CommitteeSignature[];
}

/**
 * Splits `ccv_data` as the contract does: whole signatures within L count, a rest shorter than one and bytes after L
 * are left for formats to come.
 * @throws CommitteeProofError naming `tag`, `length` or `signatures` when the bytes end too early.
 */
export function parseCommitteeProof(ccvData: Uint8Array): CommitteeProof {
  const signatures = signaturesOf(ccvData).map((bytes) => ({
    r: bytesToHex(bytes.subarray(0, WORD_BYTES)),
    s: bytesToHex(bytes.subarray(WORD_BYTES)),
  }));
  return { tag: bytesToHex(ccvData.subarray(0, TAG_BYTES)), signatures };
}

/** The signatures of a proof, r ‖ s, at most so many. @throws CommitteeProofError as `parseCommitteeProof` does. */
function signaturesOf(ccvData: Uint8Array, most = MAX_SIGNATURES): readonly Uint8Array[] {
  const { length: size } = ccvData;
  if (size < TAG_BYTES) throw new CommitteeProofError('tag', `${TAG_BYTES} bytes`, `${size} bytes`);
  const start = TAG_BYTES + LENGTH_BYTES;
  if (size < start) throw new CommitteeProofError('length', `${LENGTH_BYTES} bytes`, `${size - TAG_BYTES} bytes`);
  const length = new DataView(ccvData.buffer, ccvData.byteOffset).getUint16(TAG_BYTES);
  if (size < start + length) throw new CommitteeProofError('signatures', `${length} bytes`, `${size - start} bytes`);
  return Array.from({ length: Math.min(most, Math.floor(length / SIGNATURE_BYTES)) }, (_, index) => {
    const at = start + index * SIGNATURE_BYTES;
    return ccvData.subarray(at, at + SIGNATURE_BYTES);
  });
}

/** The hash that a committee signs: `keccak256(tag ‖ messageId)`, without a prefix. */
export function committeeDigest(tag: Hex, messageId: Hex): Hex {
  checkBytes('tag', tag, TAG_BYTES);
  checkBytes('messageId', messageId, 32);
  return keccak256(hexToBytes(`${tag}${messageId.slice(2)}`));
}

/**
 * Addresses (lower-case) that signed, in the order of the proof.
 * @throws CommitteeProofError when the bytes are no proof, or a signature belongs to no key.
 */
export async function recoverCommitteeSigners(messageId: Hex, ccvData: Uint8Array): Promise<readonly Hex[]> {
  const signatures = signaturesOf(ccvData);
  const digest = committeeDigest(bytesToHex(ccvData.subarray(0, TAG_BYTES)), messageId);
  return recoverSigners(await loadSignerRecovery(), digest, signatures);
}

function recoverSigners(recover: RecoverSigner, digest: Hex, signatures: readonly Uint8Array[]): readonly Hex[] {
  const hash = hexToBytes(digest);
  return signatures.map((signature, index) => {
    const signer = recover(hash, signature);
    if (signer === null) throw new CommitteeProofError(`signatures[${index}]`, 'a signature of some key', 'none');
    return signer;
  });
}

/**
 * The `ccv_data` of a committee whose members sign with `privateKeys`: signers ascending by address, v = 28 folded into
 * 27 by s := n − s. Deterministic (RFC 6979). For local chains and tests; the indexer signs nothing.
 * @throws CommitteeProofError for a tag, id or number of keys that does not fit.
 */
export async function signCommitteeProof(tag: Hex, messageId: Hex, privateKeys: readonly Hex[]): Promise<Uint8Array> {
  if (privateKeys.length > MAX_SIGNATURES)
    throw new CommitteeProofError('privateKeys', `at most ${MAX_SIGNATURES}`, `${privateKeys.length}`);
  const digest = committeeDigest(tag, messageId);
  const signatures = await Promise.all(privateKeys.map((privateKey) => signFolded(digest, privateKey)));
  const signers = recoverSigners(await loadSignerRecovery(), digest, signatures);
  const order = signatures.map((signature, index) => ({ signature, signer: signers[index] ?? '0x' }));
  order.sort((a, b) => (a.signer < b.signer ? -1 : 1));
  const length = (order.length * SIGNATURE_BYTES).toString(16).padStart(4, '0');
  return Buffer.concat([hexToBytes(`${tag}${length}`), ...order.map(({ signature }) => signature)]);
}

async function signFolded(hash: Hex, privateKey: Hex): Promise<Uint8Array> {
  const { r, s, yParity } = await sign({ hash, privateKey });
  const folded = yParity === 0 ? BigInt(s) : CURVE_ORDER - BigInt(s);
  return hexToBytes(`${r}${folded.toString(16).padStart(64, '0')}`);
}

/** Whose signatures a chain accepts. */
export interface CommitteeConfig {
  /** The verifier's own tag. */
  readonly tag: Hex;
  /** Registered signers, hex of either case. */
  readonly signers: readonly Hex[];
  /** Signatures that are checked, at least 1. */
  readonly threshold: number;
}

/**
 * The chain's verdict on `ccvData`. `valid`: of the committee's tag, and its first `threshold` signatures are of
 * registered signers, strictly ascending (later ones are not looked at, as on chain). `unsupported`: another
 * verifier's tag, for which no check is defined here. `invalid`: everything else, malformed and discovery-only data
 * included.
 * @throws CommitteeProofError when `messageId` is not 32 bytes.
 */
export async function verifyCommitteeProof(
  messageId: Hex,
  ccvData: Uint8Array,
  committee: CommitteeConfig,
): Promise<'valid' | 'invalid' | 'unsupported'> {
  if (ccvData.length < TAG_BYTES) return 'invalid';
  const tag = bytesToHex(ccvData.subarray(0, TAG_BYTES));
  if (tag !== committee.tag.toLowerCase()) return tag === DISCOVERY_ONLY_TAG ? 'invalid' : 'unsupported';
  const hash = hexToBytes(committeeDigest(tag, messageId));
  const signatures = signaturesWithin(ccvData, committee.threshold);
  if (committee.threshold < 1 || signatures.length < committee.threshold) return 'invalid';
  const recover = await loadSignerRecovery();
  const members = new Set<string>(committee.signers.map((signer) => signer.toLowerCase()));
  let last = '';
  for (const signature of signatures) {
    const signer = recover(hash, signature);
    if (signer === null || !members.has(signer) || signer <= last) return 'invalid';
    last = signer;
  }
  return 'valid';
}

/** The first signatures of a proof, at most so many; none where the bytes are no proof. */
function signaturesWithin(ccvData: Uint8Array, most: number): readonly Uint8Array[] {
  try {
    return signaturesOf(ccvData, most);
  } catch (thrown) {
    if (thrown instanceof CommitteeProofError) return [];
    throw thrown;
  }
}

function checkBytes(field: string, value: Hex, sizeBytes: number): void {
  if (!isHex(value) || value.length !== 2 + 2 * sizeBytes)
    throw new CommitteeProofError(field, `${sizeBytes} bytes as 0x hex`, String(value).slice(0, 70));
}
