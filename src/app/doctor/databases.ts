import type { Config } from '../../config/schema/schema.js';
import { type Diagnosis, diagnosePostgres } from '../../storage/postgres/diagnosis/diagnose.js';
import { runStatement } from '../../storage/postgres/diagnosis/mend.js';
import { postgresOptions } from '../backend-options.js';
import { backendSections, type NamedSection } from '../backend-sections.js';
import type { Means } from './check.js';
import type { Repair } from './finding.js';

/** The databases of a configuration. */
export function databaseSections(config: Config): readonly NamedSection[] {
  return backendSections(config).filter(({ Type }) => Type === 'postgres');
}

/** The repair of a database by one statement, over a connection of its own. */
export function statementRepair(
  section: NamedSection,
  { config, common }: Pick<Means, 'config' | 'common'>,
  text: string,
): Repair {
  const { connection } = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
  return { title: `${text} in ${section.Name}`, run: () => runStatement({ name: section.Name, connection }, text) };
}

/**
 * Looks at one database over a connection of its own, which cannot write.
 * @throws the errors of `diagnosePostgres` and of `look`.
 */
export async function withDatabase<T>(
  section: NamedSection,
  { config, common, isFull }: Pick<Means, 'config' | 'common' | 'isFull'>,
  look: (diagnosis: Diagnosis) => Promise<T>,
): Promise<T> {
  const { connection, namespace, pool } = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
  const diagnosis = await diagnosePostgres({
    ...{ name: section.Name, connection, namespace },
    ...(pool?.connectTimeoutMs ? { connectTimeoutMs: pool.connectTimeoutMs } : {}),
    ...(isFull ? { questionMs: 0 } : {}),
  });
  try {
    return await look(diagnosis);
  } finally {
    await diagnosis.close();
  }
}
