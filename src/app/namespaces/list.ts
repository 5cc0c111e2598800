import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { isNamespaceName } from '../../storage/postgres/connection/namespace.js';
import { migrationStatus } from '../../storage/postgres/migrate/migrations.js';
import type { NamespaceUse } from '../../storage/postgres/namespaces/look.js';
import { postgresOptions } from '../backend-options.js';
import { openCold } from '../cold-backends.js';
import { type Unreachable, whyUnreachable } from '../unreachable.js';
import { foldersOf, holdsTables } from './folder.js';
import { configOfNamespace } from './namespace-config.js';
import { inDatabase, inObjectStore, type NamespacePlace, namespacePlaces } from './places.js';

/** A namespace in one backend. */
export type NamespaceThere = {
  readonly namespace: string;
  readonly backend: string;
} & ({ readonly problem: Unreachable } | NamespaceFigures);

/** Figures of a namespace in one backend. */
export interface NamespaceFigures {
  /** The last position that it holds. */
  readonly position: bigint;
  /** Time of the last commit, unix ms; -1: none. */
  readonly headMs: number;
  /** Of messages and verifier results. */
  readonly rows: number;
  readonly isEstimate: boolean;
  readonly bytes: number;
  /** Of a database. */
  readonly schema?: { readonly version: number; readonly pending: number; readonly newer: number };
  readonly use?: NamespaceUse;
  /** Of an object store: files that hold the present state. */
  readonly files?: number;
}

/** The namespaces of all backends of a configuration. */
export interface NamespaceList {
  readonly namespaces: readonly NamespaceThere[];
  readonly unreachable: readonly (Unreachable & { readonly backend: string })[];
}

/** Tables of which the records are counted. */
const COUNTED: readonly string[] = ['messages', 'verifier_results'];

/** Looks at all backends side by side, and changes nothing. */
export async function listNamespaces(config: Config, common: Common): Promise<NamespaceList> {
  const unreachable: (Unreachable & { readonly backend: string })[] = [];
  const found = await Promise.all(
    namespacePlaces(config).map(async (place) => {
      try {
        return await (place.type === 'postgres'
          ? inThisDatabase(place, config, common)
          : inThisStore(place, config, common));
      } catch (thrown) {
        unreachable.push({ backend: place.section.Name, ...whyUnreachable(thrown) });
        return [];
      }
    }),
  );
  return { namespaces: found.flat(), unreachable };
}

type PlaceOf<T extends NamespacePlace['type']> = NamespacePlace & { readonly type: T };

async function inThisDatabase(
  { section }: PlaceOf<'postgres'>,
  config: Config,
  common: Common,
): Promise<NamespaceThere[]> {
  const { connection } = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
  return await inDatabase(section, config, common, async (database) => {
    const all: NamespaceThere[] = [];
    for (const namespace of await database.names())
      all.push(
        await looked(namespace, section.Name, async () => {
          const { position, headMs, tables, use } = await database.look(namespace);
          const { applied, pending, unknown } = await migrationStatus({ connection, namespace });
          const counted = tables.filter(({ table }) => COUNTED.includes(table));
          return {
            ...{ position, headMs, use },
            rows: counted.reduce((sum, { rows }) => sum + rows, 0),
            isEstimate: counted.some(({ isEstimate }) => isEstimate),
            bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
            schema: { version: applied.at(-1)?.id ?? 0, pending: pending.length, newer: unknown.length },
          };
        }),
      );
    return all;
  });
}

async function inThisStore({ section }: PlaceOf<'s3'>, config: Config, common: Common): Promise<NamespaceThere[]> {
  return await inObjectStore(section, common, async ({ store, look }) => {
    await look();
    const all: NamespaceThere[] = [];
    for (const namespace of await foldersOf(store)) {
      if (!isNamespaceName(namespace) || !(await holdsTables(store, namespace))) continue;
      const cold = openCold(configOfNamespace(config, namespace), section, common);
      try {
        all.push(
          await looked(namespace, section.Name, async () => {
            const { position, headMs, tables } = await cold.storage.maintenance.describe();
            const sum = (of: (table: (typeof tables)[number]) => number) =>
              tables.reduce((total, table) => total + of(table), 0);
            return {
              ...{ position, headMs, isEstimate: false },
              rows: sum(({ table, rows }) => (COUNTED.includes(table) ? rows : 0)),
              bytes: sum(({ bytes, indexBytes }) => bytes + indexBytes),
              files: sum(({ files }) => files),
            };
          }),
        );
      } finally {
        await cold.close();
      }
    }
    return all;
  });
}

async function looked(
  namespace: string,
  backend: string,
  look: () => Promise<NamespaceFigures>,
): Promise<NamespaceThere> {
  try {
    return { namespace, backend, ...(await look()) };
  } catch (thrown) {
    return { namespace, backend, problem: whyUnreachable(thrown) };
  }
}
