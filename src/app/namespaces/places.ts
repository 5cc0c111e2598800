import type { S3Section } from '../../config/schema/s3-schema.js';
import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { IndexerError } from '../../core/errors.js';
import { openPostgresNamespaces, type PostgresNamespaces } from '../../storage/postgres/namespaces/namespaces.js';
import { postgresOptions } from '../backend-options.js';
import { backendSections, type NamedSection } from '../backend-sections.js';
import { type OpenedObjectStore, openObjectStore } from '../open-object-store.js';

/** A backend that keeps namespaces: a database, or a place with the prefix of an object store. */
export type NamespacePlace =
  | { readonly type: 'postgres'; readonly section: NamedSection }
  | { readonly type: 's3'; readonly section: NamedSection & { readonly S3: S3Section } };

/**
 * The databases and object stores of a configuration, or the one of that name.
 * @throws IndexerError NO_DURABLE_BACKEND
 */
export function namespacePlaces(config: Config, backend?: string): readonly NamespacePlace[] {
  const places = backendSections(config).flatMap((section): NamespacePlace[] => {
    if (section.Type === 'postgres') return [{ type: 'postgres', section }];
    return section.Type === 's3' && section.S3 ? [{ type: 's3', section: { ...section, S3: section.S3 } }] : [];
  });
  const wanted = places.filter(({ section }) => backend === undefined || section.Name === backend);
  if (wanted.length > 0) return wanted;
  const known = places.map(({ section }) => section.Name).join(', ');
  throw new IndexerError(
    'NO_DURABLE_BACKEND',
    known === ''
      ? 'no database and no object store is configured: what is in memory ends with its process'
      : `no database and no object store is called ${backend}: write one of ${known}`,
    false,
  );
}

/** Works on the namespaces of a database over a connection of its own, which cannot write. */
export async function inDatabase<T>(
  { Name, Postgres }: NamedSection,
  config: Config,
  common: Common,
  work: (namespaces: PostgresNamespaces) => Promise<T>,
): Promise<T> {
  const { connection, pool } = postgresOptions(Name, config.Namespace, Postgres, common);
  const timeout = pool?.connectTimeoutMs ? { connectTimeoutMs: pool.connectTimeoutMs } : {};
  const namespaces = await openPostgresNamespaces({ name: Name, connection, ...timeout });
  try {
    return await work(namespaces);
  } finally {
    await namespaces.close();
  }
}

/** Works on an object store, which it closes. */
export async function inObjectStore<T>(
  { Name, S3 }: NamedSection & { readonly S3: S3Section },
  common: Common,
  work: (objects: OpenedObjectStore) => Promise<T>,
): Promise<T> {
  const objects = openObjectStore(Name, S3, common);
  try {
    return await work(objects);
  } finally {
    await objects.store.close();
  }
}
