import type { Config } from '../config/schema.js';
import { IndexerError } from '../core/errors.js';
import { openedSections, type StorageUse } from './open-storage.js';

/** What a process does: fill the storage, answer from it, or both. */
export type Role = 'both' | 'worker' | 'api';

/** What a process of that role does with its storage. */
export function storageUse(role: Role): StorageUse {
  return role === 'api' ? 'read' : 'write';
}

/**
 * Refuses a role that cannot do its work with the configured storage. An `api` over memory alone would follow nobody and
 * answer that there is nothing, for ever; what a `worker` keeps in memory alone nobody would ever see.
 * @throws IndexerError saying what to change.
 */
export function checkRole(role: Role, config: Config): void {
  if (role === 'both') return;
  if (openedSections(config, storageUse(role)).some(({ Type }) => Type === 'postgres')) return;
  throw new IndexerError(
    'ROLE_NEEDS_DATABASE',
    role === 'api'
      ? "'ccv-indexer api' answers from a database that workers fill, and no Postgres backend may be read: add one, or change its ReadCondition"
      : "'ccv-indexer worker' fills a database that others read, and no Postgres backend is configured: add one, or run 'ccv-indexer start'",
    false,
  );
}
