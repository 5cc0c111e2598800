import type { Backoff } from '../core/backoff.js';
import type { Common } from '../core/common.js';
import { InvalidArgumentError } from '../core/errors.js';
import { alwaysRead, type ReadCondition } from '../model/read-conditions.js';
import { type BackendStorage, leadsAlone } from '../storage/backend-storage.js';

/** The distance of a backend from the reader; a label of the metrics of queries. */
export type Tier = 'hot' | 'warm' | 'cold';

/** A storage and its part in a Sink. The order of backends is the order in which they are read. */
export interface SinkBackend {
  readonly storage: BackendStorage;
  /** Where it may be read. Default: `alwaysRead()`. */
  readonly condition?: ReadCondition;
  /**
   * A write is acknowledged only when it has taken it. Default: true for durable storages that are not cold: the cold
   * tier may be minutes late, and records that it does not have yet are not pruned elsewhere.
   */
  readonly required?: boolean;
  /**
   * Records ingested longer ago are removed from it once every other durable backend holds them, a cold one among them.
   * Needs a storage that can be pruned. Default 0: kept for good.
   */
  readonly retentionMs?: number;
  /** Its tier, also in metrics. Default: `warm` for durable storages, `hot` for others. */
  readonly tier?: Tier;
  /** It outlives the Sink, which leaves it open. Default false. */
  readonly lent?: boolean;
  /**
   * It is on trial, as the new database of a move: that it is ahead of the leader or diverged from it refuses no write
   * and hides no answer. Default false.
   */
  readonly onTrial?: boolean;
}

/** A commit that a backend which is not required did not take. Following repairs it. */
export interface PartialFailure {
  readonly backend: string;
  readonly error: Error;
  /** The last position of the commit. */
  readonly throughPosition: bigint;
}

/** How to put a Sink together; times in milliseconds. */
export interface SinkOptions {
  readonly backends: readonly SinkBackend[];
  readonly common?: Common;
  /** For how long a durable follower counts as current without news from its leader. Default 250. */
  readonly maxStalenessMs?: number;
  /** A follower asks the leader when it heard nothing for this long. Default: half of `maxStalenessMs`. */
  readonly heartbeatMs?: number;
  /** Changes that a follower reads at once. Default 1000. */
  readonly pageSize?: number;
  /** Between a follower's attempts after a failure. Default 100 ms, doubling up to 10 s. */
  readonly retry?: Backoff;
  /** How long a read waits for a late backend when no other can answer. Default 1000. */
  readonly catchUpWaitMs?: number;
  /**
   * How long after the start the first write waits for durable backends that are not required to say where they stand:
   * one that is ahead of its leader, or has another history, must not be written past. Default 15 000.
   */
  readonly contactWaitMs?: number;
  /** Between two rounds of pruning. Default 60 000. */
  readonly pruneIntervalMs?: number;
  /** Told of every partial failure. Must return quickly and not throw. */
  readonly onPartialFailure?: (failure: PartialFailure) => void;
}

/** `SinkBackend` with every default filled in. */
export interface ResolvedBackend {
  readonly storage: BackendStorage;
  readonly condition: ReadCondition;
  readonly required: boolean;
  readonly tier: Tier;
  /** 0 = for good. */
  readonly retentionMs: number;
  readonly lent: boolean;
  readonly onTrial: boolean;
}

/** @throws InvalidArgumentError, with the change to make, when no such Sink can work. */
export function resolveBackends(backends: readonly SinkBackend[]): readonly ResolvedBackend[] {
  if (backends.length === 0) throw new InvalidArgumentError('a Sink needs at least one backend');
  const names = new Set<string>();
  for (const { storage } of backends) {
    if (names.has(storage.name))
      throw new InvalidArgumentError(`two backends are called ${storage.name}: give each a name of its own`);
    names.add(storage.name);
  }
  if (backends.every(({ condition }) => condition?.kind === 'never'))
    throw new InvalidArgumentError('every backend is never read: give at least one another condition');
  for (const { storage, retentionMs = 0 } of backends) {
    const other = backends.find((each) => each.storage.prunable);
    if (leadsAlone(storage) && other !== undefined)
      throw new InvalidArgumentError(
        `${storage.name} was made to lead, and cannot follow ${other.storage.name}: give it the role 'follower'`,
      );
    if (retentionMs === 0) continue;
    if (!Number.isSafeInteger(retentionMs) || retentionMs < 0 || !storage.prunable)
      throw new InvalidArgumentError(
        `${storage.name} cannot keep its records for ${retentionMs} ms only: leave it out`,
      );
    if (!backends.some((each) => each.tier === 'cold'))
      throw new InvalidArgumentError(
        `${storage.name} has a retention, but no cold tier holds what it removes: add one`,
      );
  }
  return backends.map(({ storage, condition, required, tier, retentionMs, lent, onTrial }) => ({
    storage,
    condition: condition ?? alwaysRead(),
    required: required ?? (storage.durable && tier !== 'cold'),
    tier: tier ?? (storage.durable ? 'warm' : 'hot'),
    retentionMs: retentionMs ?? 0,
    lent: lent ?? false,
    onTrial: onTrial ?? false,
  }));
}

/**
 * Which backend leads: it alone gives times and positions, the others follow. The first durable required one; else the
 * first durable one, since records that only memory holds are lost with the process; else the first. A cold one leads
 * only where nothing else is durable.
 */
export function leaderIndex(backends: readonly ResolvedBackend[]): number {
  const isWarm = ({ storage, tier }: ResolvedBackend) => storage.durable && tier !== 'cold';
  const inOrderOfRank = [
    backends.findIndex((backend) => isWarm(backend) && backend.required),
    backends.findIndex(isWarm),
    backends.findIndex(({ storage }) => storage.durable),
  ];
  return inOrderOfRank.find((index) => index >= 0) ?? 0;
}
