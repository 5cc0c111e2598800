import type { Action, CommitInfo } from '../delta/actions.js';
import { DeltaConflictError } from '../delta/delta-errors.js';
import type { DeltaLog } from '../delta/delta-log.js';
import type { DeltaSnapshot } from '../delta/snapshot.js';

/** Compactions that may overtake one commit: each is minutes of work, so more of them is something else. */
const MAX_REBASES = 16;

/**
 * Commits on top of `snapshot`, or of the compactions since. A compaction changes no answer, so the flush beside it
 * need not begin anew. A flush or a fence shows in the table's transactions: then this commit has lost.
 * @throws DeltaConflictError when something else than compactions was committed since; nothing of this was.
 */
export async function commitBesideCompactions(
  log: DeltaLog,
  snapshot: DeltaSnapshot,
  actions: readonly Action[],
  info: CommitInfo,
): Promise<DeltaSnapshot> {
  let base = snapshot;
  for (let attempt = 0; ; attempt += 1)
    try {
      return await log.commit(base, actions, info);
    } catch (thrown) {
      if (!(thrown instanceof DeltaConflictError) || attempt >= MAX_REBASES) throw thrown;
      const now = await log.refresh(base);
      if (now.version === base.version || !isOnlyCompacted(base, now) || !isPossible(now, actions)) throw thrown;
      base = now;
    }
}

/** True when all that happened between two snapshots of a table is that rows moved to other files. */
function isOnlyCompacted(before: DeltaSnapshot, now: DeltaSnapshot): boolean {
  if (now.transactions.size !== before.transactions.size) return false;
  for (const [appId, { version, lastUpdated }] of now.transactions) {
    const known = before.transactions.get(appId);
    if (known?.version !== version || known.lastUpdated !== lastUpdated) return false;
  }
  for (const [uri, { dataChange }] of now.files) if (dataChange && !before.files.has(uri)) return false;
  return true;
}

function isPossible(now: DeltaSnapshot, actions: readonly Action[]): boolean {
  return actions.every((action) => !('remove' in action) || now.files.has(action.remove.path));
}
