import { join } from 'node:path';
import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { IndexerError } from '../../core/errors.js';
import { decodeState, isUnderWay } from '../../migration/move-state.js';
import type { MigrationWait } from '../../storage/postgres/migrate/migration-run.js';
import { type DroppedNamespace, dropPostgresNamespace } from '../../storage/postgres/namespaces/drop-namespace.js';
import type { SchemaState } from '../../storage/postgres/namespaces/look.js';
import type { CountedTable } from '../../storage/postgres/namespaces/namespaces.js';
import { postgresOptions } from '../backend-options.js';
import { removeEmptyFolders } from './empty-folders.js';
import { deleteFolder, folderShared, lookAtFolder } from './folder.js';
import { inDatabase, inObjectStore, type NamespacePlace, namespacePlaces } from './places.js';

/** The namespace to drop, and where. */
export interface DropWish {
  readonly namespace: string;
  /** Default: both. */
  readonly only?: 'database' | 'cold';
  /** Default: every one. */
  readonly backend?: string;
  /** Also while processes are connected. */
  readonly force: boolean;
}

/** One backend with the part of it that a drop takes away; empty: nothing of the namespace is there. */
export type DoomedThere = { readonly backend: string; readonly place: string } & (
  | { readonly type: 'postgres'; readonly tables: readonly CountedTable[] }
  | { readonly type: 's3'; readonly files: number; readonly bytes: number }
);

/** The outcome in one backend. `schema`: null where there was none. */
export type DroppedThere = { readonly backend: string; readonly place: string } & (
  | { readonly type: 'postgres'; readonly schema: DroppedNamespace | null }
  | { readonly type: 's3'; readonly files: number; readonly bytes: number }
);

/** Told while a drop goes on. */
export interface DropEvents {
  waiting(backend: string, wait: MigrationWait): void;
  deleted(backend: string, files: number): void;
}

/**
 * Looks at all that a drop would take away, and changes nothing. Schemas and folders are those of the very name.
 * @throws IndexerError with the next step: NAMESPACE_IN_USE, NAMESPACE_IN_MOVE, NAMESPACE_FOLDER_SHARED,
 * NAMESPACE_KEPT_ELSEWHERE, NAMESPACE_NOT_OURS; the errors of the backends.
 */
export async function planDrop(
  config: Config,
  wish: DropWish,
  common: Common,
  signal: AbortSignal,
): Promise<readonly DoomedThere[]> {
  refuseOtherSchema(config, wish);
  const places = namespacePlaces(config, wish.backend);
  const cold = coldOf(places, wish);
  const doomed: DoomedThere[] = [];
  // processes that use the objects show in every database of the namespace
  for (const { type, section } of cold.length > 0 ? namespacePlaces(config) : places) {
    if (type !== 'postgres') continue;
    const isDropped = wish.only !== 'cold' && places.some((place) => place.section.Name === section.Name);
    try {
      const look = await inDatabase(section, config, common, (database) => database.look(wish.namespace));
      refuse(look, section.Name, wish);
      if (!isDropped) continue;
      if (!look.isNamespace && look.foreign.length > 0) throw notOurs(section.Name, wish.namespace);
      const place = `schema ${wish.namespace}`;
      doomed.push({ backend: section.Name, place, type: 'postgres', tables: look.tables });
    } catch (thrown) {
      // a database that is lost for good
      if (isDropped || !wish.force || !(thrown instanceof IndexerError) || !thrown.retryable) throw thrown;
      common.log.warn({ err: thrown, backend: section.Name }, 'a database is away: going on without asking it');
    }
  }
  for (const place of cold)
    doomed.push(
      await inObjectStore(place.section, common, async ({ store, place: where, look }) => {
        await look();
        const { foreign, ...state } = await lookAtFolder(store, wish.namespace, signal);
        if (foreign !== null) throw folderShared(wish.namespace, foreign);
        return { backend: place.section.Name, place: `${where}/${wish.namespace}`, type: 's3', ...state };
      }),
    );
  return doomed;
}

/**
 * Drops a namespace: schemas first, each whole or not at all, so that no answer comes from half a
 * namespace; then the objects. Interrupted, it goes on when it is called again.
 * @throws as `planDrop`; AbortedError.
 */
export async function dropNamespace(
  config: Config,
  wish: DropWish,
  common: Common,
  { signal, events }: { readonly signal: AbortSignal; readonly events: DropEvents },
): Promise<readonly DroppedThere[]> {
  const { namespace } = wish;
  const places = namespacePlaces(config, wish.backend);
  const dropped: DroppedThere[] = [];
  for (const { type, section } of wish.only === 'cold' ? [] : places) {
    if (type !== 'postgres') continue;
    const { Name: name } = section;
    const { connection } = postgresOptions(name, config.Namespace, section.Postgres, common);
    const schema = await dropPostgresNamespace({
      ...{ name, connection, namespace },
      admit: (state) => refuse(state, name, wish),
      onWait: (wait) => events.waiting(name, wait),
    });
    dropped.push({ backend: name, place: `schema ${namespace}`, type, schema });
  }
  for (const { section } of coldOf(places, wish))
    dropped.push(
      await inObjectStore(section, common, async ({ store, place }) => {
        const onDeleted = (files: number) => events.deleted(section.Name, files);
        const deleted = await deleteFolder(store, namespace, signal, onDeleted);
        if (section.S3.Directory !== undefined) await removeEmptyFolders(join(section.S3.Directory, namespace));
        return { backend: section.Name, place: `${place}/${namespace}`, type: 's3', ...deleted };
      }),
    );
  return dropped;
}

type ColdPlace = NamespacePlace & { readonly type: 's3' };

function coldOf(places: readonly NamespacePlace[], { only }: DropWish): readonly ColdPlace[] {
  return only === 'database' ? [] : places.flatMap((place) => (place.type === 's3' ? [place] : []));
}

/**
 * Where a backend keeps the configured namespace in a schema of another name, neither that schema nor the folder of the
 * namespace goes under the name of the other by mistake.
 */
function refuseOtherSchema(config: Config, wish: DropWish): void {
  const { namespace, only } = wish;
  const { Namespace } = config;
  if (only === 'database') return;
  const places = namespacePlaces(config, wish.backend);
  const losesFolder = namespace === Namespace && coldOf(places, wish).length > 0;
  const apart = (losesFolder ? namespacePlaces(config) : places).find(({ section: { Postgres } }) => {
    const schema = Postgres?.Schema ?? Namespace;
    return schema !== Namespace && (losesFolder || (only !== 'cold' && schema === namespace));
  });
  if (!apart) return;
  const { Name, Postgres } = apart.section;
  throw new IndexerError(
    'NAMESPACE_KEPT_ELSEWHERE',
    `backend ${Name} keeps namespace ${Namespace} in schema ${Postgres?.Schema}, and its objects are in ${Namespace}/`,
    false,
    { details: { nextStep: `to drop the schema ${namespace} alone, add --only database` } },
  );
}

function refuse({ use, move }: Pick<SchemaState, 'use' | 'move'>, backend: string, wish: DropWish): void {
  const { namespace, force } = wish;
  const state = move && decodeState(move, backend);
  if (state && isUnderWay(state))
    throw new IndexerError(
      'NAMESPACE_IN_MOVE',
      `namespace ${namespace} of backend ${backend} is in a move from ${state.from} to ${state.to} (${state.phase})`,
      false,
      { details: { nextStep: 'end the move: `ccv-indexer migration finish`, or `ccv-indexer migration rollback`' } },
    );
  if (force || use.connections + use.workers === 0) return;
  throw new IndexerError(
    'NAMESPACE_IN_USE',
    `processes work on namespace ${namespace} of backend ${backend}: ${use.connections} connections, ${use.workers} ` +
      'workers',
    false,
    {
      details: {
        nextStep:
          'stop them; a worker that was killed counts for some seconds more. With --force they lose the storage ' +
          'under their feet',
      },
    },
  );
}

function notOurs(backend: string, namespace: string): IndexerError {
  return new IndexerError(
    'NAMESPACE_NOT_OURS',
    `schema ${namespace} of backend ${backend} was not made by ccv-indexer: nothing is dropped there`,
    false,
  );
}
