import { coldRole } from '../../config/checks/cold-role.js';
import type { Config } from '../../config/schema/schema.js';
import type { ArchiveStorage, RecordStorage } from '../../storage/backend-storage.js';
import { createPostgresStorage } from '../../storage/postgres/postgres-storage.js';
import { postgresOptions } from '../backend-options.js';
import { backendSections, leadingDatabase, type NamedSection } from '../backend-sections.js';
import { openCold } from '../cold-backends.js';
import type { Means } from './check.js';

/** Connections of a look at a database as a storage. */
const CONNECTIONS = 2;

/** A durable backend alone, as it answers without the others. */
export type LoneBackend = RecordStorage | ArchiveStorage;

/** The backend that gives positions and times: a database, or the cold tier without one; undefined: memory alone. */
export function recordSection(config: Config): NamedSection | undefined {
  const sections = backendSections(config);
  return leadingDatabase(sections) ?? sections.find((section) => coldRole(section, sections) === 'leader');
}

/** Opens a durable backend, lets `look` ask it, and closes it. It follows nothing and is not written to. */
export async function withBackend<T>(
  section: NamedSection,
  { config, common }: Pick<Means, 'config' | 'common'>,
  look: (backend: LoneBackend) => Promise<T>,
): Promise<T> {
  if (section.Type === 's3' && section.S3) {
    const cold = openCold(config, { ...section, S3: section.S3 }, common);
    try {
      await cold.storage.ready();
      return await look(cold.storage);
    } finally {
      await cold.close();
    }
  }
  const { pool, ...place } = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
  const storage = createPostgresStorage({
    ...place,
    pool: { ...pool, maxOpenConnections: CONNECTIONS },
    use: 'read',
    leads: false,
  });
  try {
    return await look(storage);
  } finally {
    await storage.close();
  }
}
