import type { ChangeSet } from '../../model/batch.js';
import { changedRecord } from '../../model/identity.js';
import { CoverageGapError } from '../../model/storage-errors.js';
import { type BackendStorage, buffers } from '../../storage/backend-storage.js';
import type { Following } from './lost-commits.js';

const DEFAULT_CHANGES = 1_000;

/**
 * The changes after a position: the leader's, or, where the leader was pruned, first those of a durable backend that
 * still has them and then the leader's. That backend stands at or above the leader's floor, so nothing is left out. A
 * set that ends below the head, which is always the leader's, can hold a state that is not a record's last: that one
 * is in a later set.
 * @throws CoverageGapError when no backend has them.
 */
export async function changesFrom(
  leader: BackendStorage,
  backends: readonly Following[],
  afterPosition: bigint,
  limit: number = DEFAULT_CHANGES,
): Promise<ChangeSet> {
  try {
    return await leader.changesAfter(afterPosition, limit);
  } catch (thrown) {
    if (!(thrown instanceof CoverageGapError)) throw thrown;
    const keeper = keeperOf(leader, backends, afterPosition) ?? (await keeperAnew(leader, backends, afterPosition));
    if (keeper === null) throw thrown;
    const old = await keeper.changesAfter(afterPosition, limit);
    const isCut = old.throughPosition < old.headPosition;
    const room = isCut ? 0 : limit - old.changes.length;
    const recent = await leader.changesAfter(keeper.coverage().throughPosition, Math.max(1, room));
    const readMs = Math.min(old.readMs, recent.readMs);
    const known = old.boundaries ? { boundaries: old.boundaries } : {};
    // the backend has moved on in between: the changes between are left to the next set
    if (room === 0 || recent.afterPosition !== old.throughPosition)
      return { ...recent, ...known, afterPosition, throughPosition: old.throughPosition, readMs, changes: old.changes };
    const again = new Set(recent.changes.map(changedRecord));
    const kept = old.changes.filter((change) => !again.has(changedRecord(change)));
    return { ...recent, ...known, afterPosition, readMs, changes: [...kept, ...recent.changes] };
  }
}

/** The same once the tiers that other processes feed are asked anew: the leader was pruned by their state. */
async function keeperAnew(
  leader: BackendStorage,
  backends: readonly Following[],
  afterPosition: bigint,
): Promise<BackendStorage | null> {
  if (afterPosition >= leader.coverage().afterPosition) return null;
  const tiers = backends.flatMap(({ storage }) => (buffers(storage) ? [storage] : []));
  // a tier that cannot look is left as it was known
  await Promise.allSettled(tiers.map((tier) => tier.refresh()));
  return keeperOf(leader, backends, afterPosition);
}

/** The backend that has the changes after the position up to the leader's floor. */
function keeperOf(
  leader: BackendStorage,
  backends: readonly Following[],
  afterPosition: bigint,
): BackendStorage | null {
  const { afterPosition: floor } = leader.coverage();
  if (afterPosition >= floor) return null;
  const found = backends.find(({ storage, follower }) => {
    const coverage = storage.coverage();
    return (
      follower?.progress.isPlaced === true &&
      storage.durable &&
      coverage.afterPosition <= afterPosition &&
      coverage.throughPosition >= floor
    );
  });
  return found?.storage ?? null;
}
