import type { Action, CommitInfo } from '../delta/actions.js';
import { DeltaConflictError } from '../delta/delta-errors.js';
import type { DeltaLog } from '../delta/delta-log.js';
import type { DeltaSnapshot } from '../delta/snapshot.js';
import { isNameApp } from './head.js';
import { isDirty } from './unnamed.js';

/** Compactions that may overtake one commit: each is minutes of work, so more of them is something else. */
const MAX_REBASES = 16;

/**
 * Commits on top of `snapshot`, or of the compactions since. A compaction changes no answer, so the flush beside it
 * need not begin anew. After the commit of a flush or a fence this one has lost.
 * @throws DeltaConflictError when something else than compactions was committed since; nothing of this was.
 */
export async function commitBesideCompactions(
  log: DeltaLog,
  snapshot: DeltaSnapshot,
  actionsOn: (base: DeltaSnapshot) => readonly Action[],
  info: CommitInfo,
): Promise<DeltaSnapshot> {
  let base = snapshot;
  for (let attempt = 0; ; attempt += 1) {
    const actions = actionsOn(base);
    try {
      return await log.prepare(base, actions, info);
    } catch (thrown) {
      if (!(thrown instanceof DeltaConflictError) || attempt >= MAX_REBASES) throw thrown;
      const now = await log.refresh(base);
      const isBeside = now.version > base.version && isSameFlush(base, now) && !isDirty(base, now);
      if (!isBeside || !isPossible(now, actions)) throw thrown;
      base = now;
    }
  }
}

/** True when neither a flush nor a fence was committed between two snapshots of a table. */
function isSameFlush(before: DeltaSnapshot, now: DeltaSnapshot): boolean {
  if (now.transactions.size !== before.transactions.size) return false;
  for (const [appId, { version, lastUpdated }] of now.transactions) {
    const known = before.transactions.get(appId);
    if (!isNameApp(appId) && (known?.version !== version || known.lastUpdated !== lastUpdated)) return false;
  }
  return true;
}

function isPossible(now: DeltaSnapshot, actions: readonly Action[]): boolean {
  return actions.every((action) => !('remove' in action) || now.files.has(action.remove.path));
}
