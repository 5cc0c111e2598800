import type { Common } from '../../core/common.js';
import { createRareWarning } from '../../core/rare-warning.js';
import { admitsLookups } from '../../model/read-conditions.js';
import { type BackendStorage, buffers } from '../../storage/backend-storage.js';
import type { SinkMetrics } from '../sink-metrics.js';
import type { ResolvedBackend, SinkOptions } from '../sink-options.js';
import { Follower } from './follower.js';
import type { ChangesAfter } from './leader-pages.js';

/** A backend without readers, or minutes late by design, need not hear of a commit within a tenth of a second. */
const UNREAD_HEARTBEAT_MS = 2_000;

/** The follower, not started, that keeps a backend equal to the leader; failures are logged, counted and told. */
export function followLeader(parts: {
  readonly backend: ResolvedBackend;
  readonly leader: BackendStorage;
  /** The leader's changes, also those that only a colder tier still has. */
  readonly changesAfter: ChangesAfter;
  readonly common: Common;
  readonly metrics: SinkMetrics;
  readonly options: SinkOptions;
  readonly maxStalenessMs: number;
}): Follower {
  const { leader, changesAfter, common, metrics, options } = parts;
  const { storage, required, condition } = parts.backend;
  const { name } = storage;
  const isUrgent = admitsLookups(condition) && !buffers(storage);
  const warnMissed = createRareWarning(common);
  const follower: Follower = new Follower({
    ...{ leader, storage, changesAfter, common },
    options: {
      heartbeatMs: Math.max(options.heartbeatMs ?? parts.maxStalenessMs / 2, isUrgent ? 0 : UNREAD_HEARTBEAT_MS),
      pageSize: options.pageSize ?? 1000,
      retry: options.retry ?? { baseMs: 100, maxMs: 10_000 },
    },
    events: {
      onMissed: (error, throughPosition) => {
        metrics.partialFailure(name);
        warnMissed(
          { backend: name, required, err: error, throughPosition: String(throughPosition) },
          'partial failure',
        );
        options.onPartialFailure?.({ backend: name, error, throughPosition });
      },
      onHealed: () => common.log.info({ backend: name }, 'backend has caught up again'),
      onProgress: () => metrics.lag(name, follower.lagPositions, follower.lagMs),
    },
  });
  return follower;
}
