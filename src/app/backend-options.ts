import type { S3Section } from '../config/schema/s3-schema.js';
import {
  MEMORY_DEFAULTS,
  type MemorySection,
  POSTGRES_DEFAULTS,
  type PostgresSection,
  type ReadConditionSection,
} from '../config/schema/storage-schema.js';
import type { Common } from '../core/common.js';
import { assertNever } from '../core/errors.js';
import {
  alwaysRead,
  neverRead,
  olderRead,
  type ReadCondition,
  recentRead,
  timeRangeRead,
} from '../model/read-conditions.js';
import type { ColdStorageOptions } from '../storage/cold/namespace/cold-storage-options.js';
import type { MemoryStorageOptions } from '../storage/memory/memory-storage.js';
import type { PostgresStorageOptions } from '../storage/postgres/postgres-storage.js';

/** The settings of a memory backend in the words of the storage package. */
export function memoryOptions(name: string, section: MemorySection | undefined, common: Common): MemoryStorageOptions {
  const settings = section ?? MEMORY_DEFAULTS;
  return {
    name,
    common,
    ttlMs: settings.TTL,
    maxSize: settings.MaxSize,
    maxBytes: settings.MaxBytes,
    cleanupIntervalMs: settings.CleanupInterval,
    maxStalenessMs: settings.MaxStaleness,
  };
}

/** The settings of a Postgres backend in the words of the storage package. */
export function postgresOptions(
  name: string,
  namespace: string,
  section: PostgresSection | undefined,
  common: Common,
): PostgresStorageOptions & { readonly namespace: string } {
  const settings = section ?? POSTGRES_DEFAULTS;
  return {
    name,
    namespace: settings.Schema ?? namespace,
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

/** A cold backend's settings in the words of the storage package, without its place and role. */
export type ColdSettings = Omit<ColdStorageOptions, 'name' | 'store' | 'namespace' | 'role' | 'common'>;

/** The settings of a cold backend; how long a dead writer is waited for is its role's business where it is alone. */
export function coldSettings(section: S3Section): ColdSettings {
  return {
    flushBytes: section.FlushBytes,
    flushIntervalMs: section.FlushInterval,
    cacheBytes: section.CacheBytes,
    refreshIntervalMs: section.RefreshInterval,
    takeoverMs: section.TakeoverDelay,
    ...upkeep(section),
  };
}

function upkeep(section: S3Section) {
  return {
    compactIntervalMs: section.CompactInterval,
    compactBytes: section.CompactBytes,
    graceMs: section.Grace,
    vacuumIntervalMs: section.VacuumInterval,
  };
}

/** A `ReadCondition` table as a condition; absent: always. */
export function toCondition(section: ReadConditionSection | undefined): ReadCondition {
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
