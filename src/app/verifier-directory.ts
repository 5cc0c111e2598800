import type { VerifierDirectory } from '../api/v2/verifiers.js';
import type { Clock } from '../core/clock.js';
import type { VerifierReport } from '../model/verifier-report.js';

/** The name of a worker that tells of itself. */
const OWN_WORKER = 'this process';

/** The verifiers that this process asks itself; `own` null: it asks none, and cannot know those of others. */
export function createVerifierDirectory({
  clock,
  own,
}: {
  readonly clock: Clock;
  readonly own: (() => readonly VerifierReport[]) | null;
}): VerifierDirectory {
  return {
    async list() {
      if (own === null) return null;
      const told = own().map(({ name, addresses, ...state }) => ({
        ...{ name, addresses },
        workers: [{ ...state, worker: OWN_WORKER, seenMs: clock.nowMs() }],
      }));
      return told.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
}
