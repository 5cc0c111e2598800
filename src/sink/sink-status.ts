import { codeOf, messagesOf, toError } from '../core/errors.js';
import { outsideText } from '../core/outside-text.js';
import { describeCondition } from '../model/read-conditions.js';
import type { Health, Storage } from '../storage/storage.js';
import { type Backend, isReadable } from './backend.js';
import type { FollowerState } from './follow/follower-options.js';
import { type PlainCoverage, plainCoverage, plainMs } from './read/explain.js';
import type { Tier } from './sink-options.js';

/** An error of ours with the words of the server. */
const MAX_REASON_CHARS = 400;

/** One backend of a Sink as a status page shows it; survives `JSON.stringify`. */
export interface BackendStatus {
  readonly name: string;
  readonly role: 'leader' | 'follower';
  readonly durable: boolean;
  readonly required: boolean;
  readonly tier: Tier;
  readonly condition: string;
  readonly coverage: PlainCoverage;
  readonly health: Health;
  /** Null for the leader. */
  readonly state: FollowerState | null;
  /** How far behind the leader it is, as far as it knows; `ms` is null when it never was whole. Null for the leader. */
  readonly lag: { readonly positions: string; readonly ms: number | null } | null;
  readonly lastError: { readonly code: string; readonly message: string } | null;
  /** It lacks commits that it failed to take, and following is bringing them. */
  readonly repairing: boolean;
}

/** Asks every backend for its health; never throws. */
export async function statusOf(backends: readonly Backend[]): Promise<readonly BackendStatus[]> {
  return await Promise.all(backends.map(backendStatus));
}

async function backendStatus(backend: Backend): Promise<BackendStatus> {
  const { follower, storage } = backend;
  const lastError = follower?.lastError ?? null;
  return {
    name: backend.name,
    role: follower === null ? 'leader' : 'follower',
    durable: storage.durable,
    required: backend.required || follower === null,
    tier: backend.tier,
    condition: describeCondition(backend.condition),
    coverage: plainCoverage(storage.coverage()),
    health: await healthOf(storage),
    state: follower?.state ?? null,
    lag:
      follower === null ? null : { positions: String(follower.lagPositions), ms: plainMs(Math.round(follower.lagMs)) },
    lastError:
      lastError === null
        ? null
        : { code: codeOf(lastError), message: outsideText(messagesOf(lastError).join(': '), MAX_REASON_CHARS) },
    repairing: lastError !== null,
  };
}

/**
 * Healthy while the leader is and one backend can be read. A backend that hangs is not waited for when another one
 * answers: it must not turn clients away from the others.
 */
export async function healthOfAll(backends: readonly Backend[], leader: Storage): Promise<Health> {
  const leading = await healthOf(leader);
  if (!leading.healthy) return { healthy: false, reason: `${leader.name}: ${leading.reason}` };
  const readers = backends.filter(isReadable);
  if (readers.some(({ follower }) => follower === null)) return leading;
  const healthy = readers.map(async ({ storage }) => {
    const health = await healthOf(storage);
    return health.healthy ? leading : await Promise.reject(toError(health.reason));
  });
  try {
    return await Promise.any(healthy);
  } catch (thrown) {
    const [first] = thrown instanceof AggregateError ? thrown.errors : [thrown];
    return { healthy: false, reason: `no backend can be read: ${toError(first).message}` };
  }
}

/** The storage's health; a storage that cannot even say is not healthy. */
async function healthOf(storage: Storage): Promise<Health> {
  try {
    return await storage.health();
  } catch (thrown) {
    return { healthy: false, reason: toError(thrown).message };
  }
}
