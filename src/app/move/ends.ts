import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { InvalidArgumentError } from '../../core/errors.js';
import type { MoveEnd, MoveEnds } from '../../migration/move-ends.js';
import { createPostgresStorage, type PostgresStorage } from '../../storage/postgres/postgres-storage.js';
import { postgresOptions } from '../backend-options.js';
import type { NamedSection } from '../backend-sections.js';
import { migrationOf, movingSections, sectionOf } from './roles.js';

/** Connections of an end that serves no query. */
const END_CONNECTIONS = 3;

/** An end that is a Postgres backend. */
export interface PostgresEnd extends MoveEnd {
  readonly storage: PostgresStorage;
}

/** Opens both databases as ones that follow, beside the Sink that asks and writes them. */
export function openEnds(config: Config, common: Common): MoveEnds & Readonly<Record<keyof MoveEnds, PostgresEnd>> {
  const sections = movingSections(config);
  if (!sections) throw new InvalidArgumentError('the configuration has no [Migration] between two backends');
  return { from: openEnd(sections.from, config, common), to: openEnd(sections.to, config, common) };
}

/** Opens the new database alone. */
export function openNewEnd(config: Config, common: Common): PostgresEnd {
  return openEnd(sectionOf(config, migrationOf(config).To), config, common);
}

function openEnd({ Name: name, Postgres }: NamedSection, config: Config, common: Common): PostgresEnd {
  const { pool, ...place } = postgresOptions(name, config.Namespace, Postgres, common);
  const connections = { maxOpenConnections: END_CONNECTIONS, maxIdleConnections: 1 };
  const storage = createPostgresStorage({ ...place, pool: { ...pool, ...connections }, leads: false });
  return { name, storage, moves: storage.moves };
}
