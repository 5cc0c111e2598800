import type { Config } from '../config/schema/schema.js';
import { assertNever, IndexerError } from '../core/errors.js';
import { type NamedSection, openedSections, type StorageUse } from './backend-sections.js';

/** What a process does: fill the storage, answer from it, or both. */
export type Role = 'both' | 'worker' | 'api';

/** What a process of that role does with its storage. */
export function storageUse(role: Role): StorageUse {
  return role === 'api' ? 'read' : 'write';
}

/**
 * Refuses a role that cannot do its work with the configured storage. An `api` over memory alone would follow nobody and
 * answer that there is nothing, for ever; what a `worker` keeps in memory alone nobody would ever see; an indexer
 * whose only storage forgets could neither list what is unfinished nor find out what a reorg took. An object store alone
 * is enough for one process that does both: of several, none would see at once what another has written.
 * @throws IndexerError saying what to change.
 */
export function checkRole(role: Role, config: Config): void {
  const fault = roleFault(role, config);
  if (fault !== null) throw new IndexerError('ROLE_NEEDS_DATABASE', fault, false);
}

/** Why a role cannot do its work with the configured storage, and what to change; null when it can. */
export function roleFault(role: Role, config: Config): string | null {
  const sections = openedSections(config, storageUse(role));
  if (sections.some(({ Type }) => Type === 'postgres')) return null;
  if (role === 'both' && sections.some(({ Type }) => Type === 's3')) return null;
  return withoutDatabase(role, sections[0]);
}

/** What is wrong with a role that has no database; `leader` is the memory that takes its place. */
function withoutDatabase(role: Role, leader: NamedSection | undefined): string | null {
  switch (role) {
    case 'api':
      return "'ccv-indexer api' answers from a database that workers fill, and no Postgres backend may be read: add one, or change its ReadCondition";
    case 'worker':
      return "'ccv-indexer worker' fills a database that others read, and no Postgres backend is configured: add one, or run 'ccv-indexer start'";
    case 'both': {
      const { TTL = 0, MaxSize = 0 } = leader?.Memory ?? {};
      if (TTL === 0 && MaxSize === 0) return null;
      return `backend ${leader?.Name} is the only place where records are kept, and would forget them: set its Memory.TTL and Memory.MaxSize to 0, or add a Postgres backend`;
    }
    default:
      return assertNever(role, 'role');
  }
}
