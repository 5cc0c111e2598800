import type { Config } from '../config/schema.js';
import {
  MEMORY_DEFAULTS,
  type MemorySection,
  POSTGRES_DEFAULTS,
  type PostgresSection,
  type ReadConditionSection,
  type SinkBackendSection,
} from '../config/storage-schema.js';
import type { Common } from '../core/common.js';
import { assertNever } from '../core/errors.js';
import { createSink, type Sink } from '../sink/sink.js';
import type { SinkBackend } from '../sink/sink-options.js';
import { createMemoryStorage } from '../storage/memory/memory-storage.js';
import { createPostgresStorage, type PostgresStorageOptions } from '../storage/postgres/postgres-storage.js';
import {
  alwaysRead,
  neverRead,
  olderRead,
  type ReadCondition,
  recentRead,
  timeRangeRead,
} from '../storage/read-conditions.js';
import type { Storage } from '../storage/storage.js';

/** What a process does with its storage: a reader leaves databases that it does not read to those who write. */
export type StorageUse = 'write' | 'read';

/** Opens every backend of the configuration behind one Sink. Closing the Sink closes them all. */
export function openStorage(config: Config, common: Common, use: StorageUse): Sink {
  const backends = backendSections(config).filter(
    (section) => use === 'write' || section.ReadCondition?.Type !== 'never',
  );
  return createSink({
    common,
    backends: backends.map((section): SinkBackend => {
      const storage = openBackend(section, config.Namespace, common);
      // who only reads does not prune
      const retentionMs = use === 'write' ? (section.Postgres?.Retention ?? 0) : 0;
      return {
        storage,
        condition: toCondition(section.ReadCondition),
        retentionMs,
        ...(section.Required === undefined ? {} : { required: section.Required }),
      };
    }),
  });
}

/** The backends of a configuration, each with a name of its own. */
export function backendSections({ Storage }: Config): readonly (SinkBackendSection & { readonly Name: string })[] {
  const sections: readonly (SinkBackendSection | undefined)[] =
    Storage.Strategy === 'single' ? [Storage.Single] : (Storage.Sink?.Storages ?? []);
  return sections.flatMap((section, index) => {
    if (!section) return [];
    const generated = sections.length === 1 ? section.Type : `${section.Type}-${index + 1}`;
    return [{ ...section, Name: section.Name ?? generated }];
  });
}

/** The settings of a Postgres backend in the words of the storage package. */
export function postgresOptions(
  name: string,
  namespace: string,
  section: PostgresSection | undefined,
  common: Common,
): PostgresStorageOptions {
  const settings = section ?? POSTGRES_DEFAULTS;
  return {
    name,
    namespace,
    common,
    connection: { connectionString: settings.URI ?? '' },
    pool: {
      maxOpenConnections: settings.MaxOpenConnections,
      maxIdleConnections: settings.MaxIdleConnections,
      connMaxLifetimeMs: settings.ConnMaxLifetime,
      connMaxIdleTimeMs: settings.ConnMaxIdleTime,
      idleInTxSessionTimeoutMs: settings.IdleInTxSessionTimeout,
      lockTimeoutMs: settings.LockTimeout,
      statementTimeoutMs: settings.StatementTimeout,
      connectTimeoutMs: settings.ConnectTimeout,
    },
  };
}

function openBackend(
  section: SinkBackendSection & { readonly Name: string },
  namespace: string,
  common: Common,
): Storage {
  switch (section.Type) {
    case 'memory':
      return createMemoryStorage({ name: section.Name, common, ...memorySettings(section.Memory ?? MEMORY_DEFAULTS) });
    case 'postgres':
      return createPostgresStorage(postgresOptions(section.Name, namespace, section.Postgres, common));
    default:
      return assertNever(section.Type, 'storage type');
  }
}

function memorySettings(section: MemorySection) {
  return {
    ttlMs: section.TTL,
    maxSize: section.MaxSize,
    cleanupIntervalMs: section.CleanupInterval,
    maxStalenessMs: section.MaxStaleness,
  };
}

function toCondition(section: ReadConditionSection | undefined): ReadCondition {
  const windowMs = (section?.LookbackWindowSeconds ?? 0) * 1_000;
  const type = section?.Type ?? 'always';
  switch (type) {
    case 'always':
      return alwaysRead();
    case 'never':
      return neverRead();
    case 'recent':
      return recentRead(windowMs);
    case 'older':
      return olderRead(windowMs);
    case 'time_range':
      return timeRangeRead(section?.StartUnix, section?.EndUnix);
    default:
      return assertNever(type, 'read condition');
  }
}
