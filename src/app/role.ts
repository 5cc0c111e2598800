import { coldRole } from '../config/checks/cold-role.js';
import type { Config } from '../config/schema/schema.js';
import { assertNever, IndexerError } from '../core/errors.js';
import { backendSections, type NamedSection, openedSections, type StorageUse } from './backend-sections.js';

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
 * process of both roles, and for any number of `api` beside it, which see its writes a second later: a `worker` would
 * share its work with others, and only a database holds leases.
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
  if (role !== 'worker' && isColdRecord(config)) return null;
  return withoutDatabase(role, sections[0]);
}

/** Whether the system of record is an object store. */
function isColdRecord(config: Config): boolean {
  const all = backendSections(config);
  return all.some((section) => coldRole(section, all) === 'leader');
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
