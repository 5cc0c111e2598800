import type { Change, ChangeSet } from '../../model/batch.js';
import type { Boundary } from '../../model/boundary.js';
import { changedRecord } from '../../model/identity.js';
import { CoverageGapError, DivergedError } from '../../model/storage-errors.js';
import { type BackendStorage, keepsForGood } from '../../storage/backend-storage.js';
import { ofSide } from './side-error.js';

/**
 * Compares a durable follower with its leader where the follower stands: the last commit that both know there, and the
 * record that was changed last. A commit that one of them no longer knows proves nothing.
 * @throws DivergedError, SideError when the leader fails.
 */
export async function refuseDiverged(
  leader: BackendStorage,
  follower: BackendStorage,
  position: bigint,
): Promise<void> {
  const mine = await boundaryOf(follower, position);
  if (mine !== null && mine.position > 0n) {
    const theirs = await leader.boundaryAt({ position: mine.position }).catch(ofSide('leader'));
    if (theirs.position === mine.position && theirs.ingestionMs !== mine.ingestionMs)
      throw divergedError(follower, leader, mine.position, 'the commit there has another time');
  }
  if (position === 0n) return;
  const [held, told] = [await changeAt(follower, position), await changeAt(leader, position).catch(ofSide('leader'))];
  if (held !== null && told !== null && identityOf(held) !== identityOf(told))
    throw divergedError(follower, leader, position, 'the last change is one of another record');
}

const COLD_ADVICE =
  'stop every worker, and decide which of the two has what you need: to keep the cold tier, drop the ' +
  "database's schema and run 'ccv-indexer storage restore'; to keep the database, give the cold tier an empty Prefix " +
  'or Directory, which it fills anew';

/** That `storage` and `other` hold two histories, and the choice that people have. */
export function divergedError(
  storage: BackendStorage,
  other: BackendStorage,
  position: bigint,
  why: string,
): DivergedError {
  return keepsForGood(storage) || keepsForGood(other)
    ? new DivergedError(storage.name, position, why, COLD_ADVICE)
    : new DivergedError(storage.name, position, why);
}

/** Whether two sets of both that end at one position were read from one history; position 0 has none. */
export function isSameHead(mine: ChangeSet, theirs: ChangeSet): boolean {
  return mine.headPosition !== theirs.headPosition || mine.headPosition === 0n || mine.headMs === theirs.headMs;
}

/** Null when it ended between two pages of its leader's changes: it tells nothing before it has the rest. */
async function boundaryOf(follower: BackendStorage, position: bigint): Promise<Boundary | null> {
  try {
    return await follower.boundaryAt({ position });
  } catch (thrown) {
    if (thrown instanceof CoverageGapError) return null;
    throw thrown;
  }
}

/** Null when the record has changed again since, or the storage cannot tell. */
async function changeAt(storage: BackendStorage, position: bigint): Promise<Change | null> {
  try {
    const { changes } = await storage.changesAfter(position - 1n, 1);
    return changes.find((change) => change.position === position) ?? null;
  } catch (thrown) {
    if (thrown instanceof CoverageGapError) return null;
    throw thrown;
  }
}

/** Identity of the record; of a cursor also its height, which is all that differs between two moves. */
function identityOf(change: Change): string {
  const name = changedRecord(change);
  return change.kind === 'cursor' ? `${name} ${change.record.height}` : name;
}
