import type { Membership } from './membership.js';

/**
 * The membership of a process that shares its storage with no other: every source and every task is its own, and no
 * write needs a lease.
 */
export function createSoleMember(): Membership {
  return {
    isMine: () => true,
    onChange: () => undefined,
    fence: (_source, writer) => writer,
    joined: () => Promise.resolve(),
    run: async (works, signal) => {
      await Promise.all([...works.values()].map((work) => work(signal)));
    },
    status: () => ({ member: null, lastBeatMs: null, sources: [] }),
  };
}
