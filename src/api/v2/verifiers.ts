import { IndexerError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import type { VerifierReport } from '../../model/verifier-report.js';

/** A verifier as the workers of a namespace are configured with it. */
export interface KnownVerifier {
  readonly name: string;
  /** CCVs on their source chain that it answers for. */
  readonly addresses: readonly Hex[];
  readonly workers: readonly VerifierAtWorker[];
}

/** How a verifier is doing at a worker. */
export interface VerifierAtWorker extends Pick<VerifierReport, 'breaker' | 'failures'> {
  readonly worker: string;
  /** When the worker said so, unix ms. */
  readonly seenMs: number;
}

/** The verifiers of a namespace. */
export interface VerifierDirectory {
  /**
   * In order of name; null where nothing tells them.
   * @throws as storage does.
   */
  list(): Promise<readonly KnownVerifier[] | null>;
}

/** For a namespace whose verifiers nothing tells. */
export const UNKNOWN_VERIFIERS: VerifierDirectory = { list: async () => null };

/** Says of CCVs whether one of the verifiers answers for them; null: not known now. */
export async function serves(directory: VerifierDirectory): Promise<((ccv: Hex) => boolean) | null> {
  const verifiers = await listOrNull(directory);
  if (verifiers === null) return null;
  const served = new Set(verifiers.flatMap(({ addresses }) => addresses.map(comparable)));
  return (ccv) => served.has(comparable(ccv));
}

/** A message is told without the reason for a missing verification rather than not at all. */
async function listOrNull(directory: VerifierDirectory): Promise<readonly KnownVerifier[] | null> {
  try {
    return await directory.list();
  } catch (thrown) {
    if (thrown instanceof IndexerError) return null;
    throw thrown;
  }
}

const PADDING = `0x${'0'.repeat(24)}`;
const PADDED_CHARS = 2 + 64;

/** The one form in which two spellings of an address are equal: EVM addresses come as 20 bytes and padded to 32. */
export function comparable(address: Hex): Hex {
  return address.length === PADDED_CHARS && address.startsWith(PADDING)
    ? `0x${address.slice(PADDING.length)}`
    : address;
}
