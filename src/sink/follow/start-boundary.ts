import { BEGINNING, type Boundary } from '../../model/boundary.js';
import type { BackendStorage, WindowStorage } from '../../storage/backend-storage.js';

/**
 * Where a windowed follower starts so that it reads no more than it wants to hold: the highest of the boundary below
 * its oldest time, the one that leaves `maxRecords` changes up to the leader's head, and the first that the leader
 * still has.
 */
export async function startBoundary(leader: BackendStorage, follower: WindowStorage): Promise<Boundary> {
  const { sinceMs, maxRecords } = follower.window();
  let boundary = leaderStart(leader);
  // the window includes sinceMs, a boundary excludes its own time
  if (sinceMs > 0) boundary = later(boundary, await leader.boundaryAt({ ms: Math.ceil(sinceMs) - 1 }));
  if (!Number.isFinite(maxRecords)) return boundary;
  const { headPosition } = await leader.changesAfter(boundary.position, 1);
  const wantedPosition = headPosition - BigInt(Math.floor(maxRecords));
  if (wantedPosition <= boundary.position) return boundary;
  return later(boundary, await leader.boundaryAt({ position: wantedPosition }));
}

/** Below this the leader was pruned, or evicted. */
function leaderStart(leader: BackendStorage): Boundary {
  const { afterPosition, afterMs } = leader.coverage();
  return later(BEGINNING, { position: afterPosition, ingestionMs: afterMs });
}

function later(a: Boundary, b: Boundary): Boundary {
  return b.position > a.position ? b : a;
}
