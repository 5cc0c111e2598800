import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { IndexerError } from '../../core/errors.js';
import { postgresOptions } from '../backend-options.js';
import { allTargets, bringUp } from '../migrations.js';
import { folderShared, holdsTables, lookAtFolder } from './folder.js';
import { configOfNamespace } from './namespace-config.js';
import { inDatabase, inObjectStore, namespacePlaces } from './places.js';

/** A namespace in one backend, before and after its creation. */
export interface CreatedThere {
  readonly backend: string;
  /** Schema, or directory, or bucket with its prefix. */
  readonly place: string;
  readonly wasThere: boolean;
  /** Migrations that were applied, or that would be to a new schema; null: unknown, or an object store. */
  readonly applied: number | null;
}

/**
 * Creates a namespace in every database of a configuration, and makes sure that the object stores can take it: an
 * object store has nothing of it before the first flush. Where it is there already it is brought up to date. Safe from
 * several machines at once.
 * @throws IndexerError NAMESPACE_TAKEN: a schema or folder of that name is in use by something else; nothing was
 * changed then.
 */
export async function createNamespace(
  config: Config,
  namespace: string,
  common: Common,
  { dryRun, signal }: { readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<readonly CreatedThere[]> {
  const own = configOfNamespace(config, namespace);
  const places = namespacePlaces(own);
  const created: CreatedThere[] = [];
  let isThere = false;
  for (const { type, section } of places) {
    if (type !== 'postgres') continue;
    const { namespace: schema } = postgresOptions(section.Name, namespace, section.Postgres, common);
    const look = await inDatabase(section, own, common, (database) => database.look(schema));
    if (!look.isNamespace && look.foreign.length > 0)
      throw taken(`schema ${schema} of backend ${section.Name}`, look.foreign[0] ?? '');
    isThere ||= look.isNamespace;
    created.push({ backend: section.Name, place: `schema ${schema}`, wasThere: look.isNamespace, applied: null });
  }
  const hasDatabase = created.length > 0;
  for (const place of places) {
    if (place.type !== 's3') continue;
    const { Name: backend } = place.section;
    created.push(
      await inObjectStore(place.section, common, async ({ store, place: where, look, check }) => {
        await look();
        const isHeld = (await store.list(`${namespace}/`, { limit: 1 })).objects.length > 0;
        if (isHeld) {
          const { foreign } = await lookAtFolder(store, namespace, signal);
          if (foreign !== null) throw folderShared(namespace, foreign);
          // without a database the object store is the record of the namespace itself
          if (hasDatabase && !isThere) throw leftOver(`${where}/${namespace}`, namespace, backend);
        }
        if (!dryRun) await check();
        return {
          backend,
          place: `${where}/${namespace}`,
          wasThere: isHeld && (await holdsTables(store, namespace)),
          applied: null,
        };
      }),
    );
  }
  if (dryRun) return created;
  const applied = new Map<string, number>();
  for (const target of allTargets(own)) applied.set(target.backend, (await bringUp(target)).length);
  return created.map((each) => ({ ...each, applied: applied.get(each.backend) ?? null }));
}

function taken(place: string, what: string): IndexerError {
  return new IndexerError('NAMESPACE_TAKEN', `${place} holds ${what}, which is not of ccv-indexer`, false, {
    details: { nextStep: 'choose another name' },
  });
}

/** A database that is lost, or a drop that was interrupted. */
function leftOver(place: string, namespace: string, backend: string): IndexerError {
  return new IndexerError(
    'NAMESPACE_TAKEN',
    `${place} holds records already, and no database has ${namespace}`,
    false,
    {
      details: {
        nextStep:
          `bring them back with \`ccv-indexer storage restore --from ${backend}\` and Namespace = "${namespace}", or ` +
          `finish dropping them with \`ccv-indexer namespace drop ${namespace} --only cold\``,
      },
    },
  );
}
