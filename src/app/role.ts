import type { Config } from '../config/schema/schema.js';
import { assertNever, IndexerError } from '../core/errors.js';
import { type NamedSection, openedSections, type StorageUse } from './backend-sections.js';

/** Role of a process: fill the storage, answer from it, or both. */
export type Role = 'both' | 'worker' | 'api';

/** Use of the storage by a process of that role. */
export function storageUse(role: Role): StorageUse {
  return role === 'api' ? 'read' : 'write';
}

/**
 * Refuses a role that cannot do its work with the configured storage. An `api` over memory alone follows nothing and
 * answers that there is nothing, for ever. Memory of a `worker` has no reader. An indexer whose only storage forgets
 * can neither list unfinished messages nor find those that a reorg took. An object store alone is enough for one
 * process of both roles: of several, none would see the writes of another at once.
 * @throws IndexerError naming the change.
 */
export function checkRole(role: Role, config: Config): void {
  const fault = roleFault(role, config);
  if (fault !== null) throw new IndexerError('ROLE_NEEDS_DATABASE', fault, false);
}

/** The reason why a role cannot do its work with the configured storage, and the change; null when it can. */
export function roleFault(role: Role, config: Config): string | null {
  const sections = openedSections(config, storageUse(role));
  if (sections.some(({ Type }) => Type === 'postgres')) return null;
  if (role === 'both' && sections.some(({ Type }) => Type === 's3')) return null;
  return withoutDatabase(role, sections[0]);
}

/** The fault of a role without a database; `leader` is the memory that takes its place. */
function withoutDatabase(role: Role, leader: NamedSection | undefined): string | null {
  switch (role) {
    case 'api':
      return (
        "'ccv-indexer api' answers from a database that workers fill, and no Postgres backend may be read: " +
        'add one, or change its ReadCondition'
      );
    case 'worker':
      return (
        "'ccv-indexer worker' fills a database that others read, and no Postgres backend is configured: " +
        "add one, or run 'ccv-indexer start'"
      );
    case 'both': {
      const { TTL = 0, MaxSize = 0 } = leader?.Memory ?? {};
      if (TTL === 0 && MaxSize === 0) return null;
      return (
        `backend ${leader?.Name} is the only place where records are kept, and would forget them: set its Memory.TTL ` +
        'and Memory.MaxSize to 0, or add a Postgres backend'
      );
    }
    default:
      return assertNever(role, 'role');
  }
}
