import type { Hex } from '../core/hex.js';
import type { VerifierReport } from '../model/verifier-report.js';
import { canonicalAddress } from './address.js';
import type { VerifierReader } from './verifier-reader.js';

/** Which readers speak for which CCV. */
export interface VerifierRegistry {
  /** All readers, in configured order. */
  readonly readers: readonly VerifierReader[];
  /**
   * Readers for a CCV's source address, used side by side; empty when there is none. Either case, and a 20-byte address
   * also when left-padded to 32 bytes.
   */
  readersFor(ccvAddress: Hex): readonly VerifierReader[];
  /** How each reader is doing. */
  reports(): readonly VerifierReport[];
  /** Closes every reader. */
  close(): Promise<void>;
}

const NONE: readonly VerifierReader[] = [];

/** Creates the registry of a process from its configured readers. */
export function createVerifierRegistry(readers: readonly VerifierReader[]): VerifierRegistry {
  const byAddress = new Map<Hex, VerifierReader[]>();
  for (const reader of readers)
    for (const address of new Set(reader.issuerAddresses.map(canonicalAddress))) {
      const known = byAddress.get(address);
      if (known) known.push(reader);
      else byAddress.set(address, [reader]);
    }

  return {
    readers,
    readersFor: (ccvAddress) => byAddress.get(canonicalAddress(ccvAddress)) ?? NONE,
    reports: () =>
      readers.map((reader) => {
        const { circuit, failuresInARow } = reader.status();
        return { name: reader.name, addresses: reader.issuerAddresses, breaker: circuit, failures: failuresInARow };
      }),
    async close() {
      await Promise.all(readers.map((reader) => reader.close()));
    },
  };
}
