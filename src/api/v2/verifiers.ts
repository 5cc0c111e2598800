import type { Hex } from '../../core/hex.js';

/** A verifier as the workers of a namespace are configured with it. */
export interface KnownVerifier {
  readonly name: string;
  /** CCVs on their source chain that it answers for. */
  readonly addresses: readonly Hex[];
}

/** The verifiers of a namespace. */
export interface VerifierDirectory {
  /** In order of name; null where nothing tells them. */
  list(): Promise<readonly KnownVerifier[] | null>;
}

/** For a namespace whose verifiers nothing tells. */
export const UNKNOWN_VERIFIERS: VerifierDirectory = { list: async () => null };

/** Says of CCVs whether one of the verifiers answers for them; null: not known. */
export async function serves(directory: VerifierDirectory): Promise<((ccv: Hex) => boolean) | null> {
  const verifiers = await directory.list();
  if (verifiers === null) return null;
  const served = new Set(verifiers.flatMap(({ addresses }) => addresses.map(unpadded)));
  return (ccv) => served.has(unpadded(ccv));
}

const PADDING = `0x${'0'.repeat(24)}`;
const PADDED_CHARS = 2 + 64;

/** EVM addresses come as 20 bytes and padded to 32. */
function unpadded(address: Hex): Hex {
  return address.length === PADDED_CHARS && address.startsWith(PADDING)
    ? `0x${address.slice(PADDING.length)}`
    : address;
}
