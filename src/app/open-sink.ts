import type { Config } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import { assertNever } from '../core/errors.js';
import type { MoveState } from '../migration/move-state.js';
import { createSink, type Sink } from '../sink/sink.js';
import type { SinkBackend } from '../sink/sink-options.js';
import type { BackendStorage } from '../storage/backend-storage.js';
import { createMemoryStorage } from '../storage/memory/memory-storage.js';
import { createPostgresStorage, type PostgresStorage } from '../storage/postgres/postgres-storage.js';
import { recallFrom } from '../storage/recall-from.js';
import { memoryOptions, postgresOptions, toCondition } from './backend-options.js';
import { backendSections, isOpened, leadingDatabase, type NamedSection, type StorageUse } from './backend-sections.js';
import { type ColdBackend, coldOf } from './process-cold.js';

/** A Sink over the backends of a configuration. */
export interface OpenedSink {
  readonly sink: Sink;
  /** The leading database; null without one: one process alone fills the storage. */
  readonly leading: Pick<PostgresStorage, 'leases' | 'replays' | 'laneRecords'> | null;
  /** The move that it follows, for a status page; null: none. */
  readonly move: (() => MoveState | null) | null;
  /** Closes the Sink with its backends, but for those that are lent. */
  close(): Promise<void>;
}

/** Opens databases and memory, and puts them together with the cold backends, which outlive the Sink when `lent`. */
export function openSink(
  config: Config,
  common: Common,
  use: StorageUse,
  cold: readonly ColdBackend[],
  lent = false,
): OpenedSink {
  // pruned records are read back from the cold tier
  const archive = cold.find(({ role }) => role === 'follower');
  const recall = archive ? recallFrom(archive.storage) : null;
  const sections = backendSections(config).filter((section) => isOpened(section, use));
  const leader = leadingDatabase(sections);
  let leading: OpenedSink['leading'] = null;
  const isKeptElsewhere = sections.some(({ Type }) => Type !== 'memory');
  const open = (section: NamedSection): BackendStorage => {
    switch (section.Type) {
      case 'memory':
        return createMemoryStorage({
          ...memoryOptions(section.Name, section.Memory, common),
          // a memory that alone holds its records forgets none
          ...(isKeptElsewhere ? {} : { maxBytes: 0 }),
        });
      case 'postgres': {
        const options = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
        const storage = createPostgresStorage({ ...options, recall, use, leads: section === leader });
        if (section === leader) leading = storage;
        return storage;
      }
      case 's3':
        return coldOf(section, cold);
      default:
        return assertNever(section.Type, 'storage type');
    }
  };
  const pruneIntervalMs = config.Storage.Sink?.PruneInterval;
  const sink = createSink({
    common,
    ...(pruneIntervalMs === undefined ? {} : { pruneIntervalMs }),
    backends: sections.map(
      (section): SinkBackend => ({
        storage: open(section),
        condition: toCondition(section.ReadCondition),
        // a process that only reads does not prune
        retentionMs: use === 'write' ? (section.Postgres?.Retention ?? 0) : 0,
        ...(section.Type === 's3' ? { tier: 'cold' as const, lent } : {}),
        ...(section.Required === undefined ? {} : { required: section.Required }),
        onTrial: config.Migration?.To === section.Name && section !== leader,
      }),
    ),
  });
  return { sink, leading, move: null, close: () => sink.close() };
}
