import type { KnownVerifier, VerifierAtWorker, VerifierDirectory } from '../api/v2/verifiers.js';
import type { Clock } from '../core/clock.js';
import type { Hex } from '../core/hex.js';
import type { VerifierReport } from '../model/verifier-report.js';
import type { LeaseStore } from '../storage/lease-store.js';

/** Workers tell of their verifiers once a second: nothing is gained by asking more often. */
const FRESH_MS = 1_000;
/** The name of a worker that shares its storage with no other. */
const SOLE_WORKER = 'this process';

/** Where the verifiers of a namespace are told. */
export interface VerifierSources {
  readonly clock: Clock;
  /** The workers with their last words; null: the storage knows of none. */
  readonly leases: Pick<LeaseStore, 'shares'> | null;
  /** Those that this process asks itself; null: it asks none. */
  readonly own: (() => readonly VerifierReport[]) | null;
}

/** The verifiers of all workers of a namespace; without leases those of this process, if it works. */
export function createVerifierDirectory({ clock, leases, own }: VerifierSources): VerifierDirectory {
  let known: { readonly verifiers: Promise<readonly KnownVerifier[]>; readonly askedMs: number } | null = null;
  if (leases === null)
    return {
      list: async () => own && united([{ member: SOLE_WORKER, verifiers: own(), seenMs: clock.nowMs() }]),
    };
  return {
    async list() {
      const nowMs = clock.monotonicMs();
      if (known === null || nowMs - known.askedMs >= FRESH_MS) {
        const verifiers = leases.shares().then(({ members }) => united(members));
        const asked = { verifiers, askedMs: nowMs };
        known = asked;
        // the next one asks again
        verifiers.catch(() => {
          if (known === asked) known = null;
        });
      }
      return await known.verifiers;
    },
  };
}

interface Worker {
  readonly member: string;
  readonly verifiers: readonly VerifierReport[];
  readonly seenMs: number;
}

/** Each verifier once, with every worker that asks it; configurations may differ while they are rolled out. */
function united(workers: readonly Worker[]): readonly KnownVerifier[] {
  const byName = new Map<string, { readonly addresses: Set<Hex>; readonly workers: VerifierAtWorker[] }>();
  for (const { member, verifiers, seenMs } of workers)
    for (const { name, addresses, breaker, failures } of verifiers) {
      const known = byName.get(name) ?? { addresses: new Set(), workers: [] };
      byName.set(name, known);
      for (const address of addresses) known.addresses.add(address);
      known.workers.push({ worker: member, breaker, failures, seenMs });
    }
  return [...byName]
    .map(([name, { addresses, workers: at }]) => ({ name, addresses: [...addresses].sort(), workers: at }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
