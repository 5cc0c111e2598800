import type { Known } from '../../model/commit/known.js';
import { conflictIdentity, quarantineIdentity } from '../../model/identity.js';
import type { MemoryState } from './memory-state.js';

/** The state of a memory, as commits are planned over it. */
export function knownOf({ store, coverage, evictedIds }: MemoryState): Known {
  return {
    id: (messageId) =>
      store.entries.get(messageId) ??
      // the id was first stored at or below the last eviction; a later read of it is told that something is missing
      (evictedIds.has(messageId)
        ? { firstMs: coverage.afterMs, body: null, message: undefined, results: [] }
        : undefined),
    execution: (log) => store.executions.find(log),
    cursor: (sourceId) => store.cursors.get(sourceId),
    lease: () => undefined,
    hasQuarantine: (entry) => store.quarantine.has(quarantineIdentity(entry)),
    hasConflict: (conflict) => store.conflicts.has(conflictIdentity(conflict)),
  };
}
