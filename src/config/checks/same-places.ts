import { resolve } from 'node:path';
import type { ConfigProblem } from '../problems.js';
import { databaseId } from '../schema/postgres-uri.js';
import type { BackendSection } from '../schema/storage-schema.js';
import { normalUrl } from '../schema/url-faults.js';

/** Backends that would keep their records in the very same place: the second would take the first one's for its own. */
export function samePlaces(backends: readonly BackendSection[], table: string): ConfigProblem[] {
  const first = new Map<string, number>();
  return backends.flatMap((section, index): ConfigProblem[] => {
    const place = placeOf(section);
    if (place === null) return [];
    const taken = first.get(place.id);
    if (taken === undefined) first.set(place.id, index);
    return taken === undefined
      ? []
      : [
          {
            path: `${table}[${index}].${place.key}`,
            message: `is the same place as ${table}[${taken}]: write another`,
          },
        ];
  });
}

/** The place of a backend. Never shown: it may hold a password. */
function placeOf({ Type, Postgres, S3 }: BackendSection): { readonly id: string; readonly key: string } | null {
  if (Type === 'postgres' && Postgres?.URI)
    return { id: `postgres ${databaseId(Postgres.URI)} ${Postgres.Schema ?? ''}`, key: 'Postgres.URI' };
  if (Type !== 's3' || !S3) return null;
  if (S3.Directory !== undefined) return { id: `directory ${resolve(S3.Directory)}`, key: 'S3.Directory' };
  if (S3.Bucket === undefined) return null;
  return {
    id: `bucket ${S3.Endpoint ? normalUrl(S3.Endpoint) : ''} ${S3.Bucket} ${S3.Prefix}`,
    key: S3.Prefix ? 'S3.Prefix' : 'S3.Bucket',
  };
}
