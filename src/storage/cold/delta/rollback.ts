import { mapInParallel } from '../../../core/parallel.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { ObjectNotFoundError } from '../object-store/object-store-errors.js';
import { type Action, removeOf } from './actions.js';
import { ForeignFilesGoneError } from './delta-errors.js';
import { uriToPath } from './paths.js';
import type { DeltaSnapshot } from './snapshot.js';

const PARALLEL_HEADS = 16;

/** The actions after which a table is as in an earlier snapshot. */
export function rollbackActions(now: DeltaSnapshot, before: DeltaSnapshot, nowMs: number): Action[] {
  const added = [...now.files.values()].filter(({ path }) => !before.files.has(path));
  const missing = [...before.files.values()].filter(({ path }) => !now.files.has(path));
  const changed = [...before.transactions.values()].filter(
    ({ appId, version }) => now.transactions.get(appId)?.version !== version,
  );
  const isSame = (one: object, other: object) => JSON.stringify(one) === JSON.stringify(other);
  return [
    ...(isSame(now.protocol, before.protocol) ? [] : [{ protocol: before.protocol }]),
    ...(isSame(now.metadata, before.metadata) ? [] : [{ metaData: before.metadata }]),
    ...added.map((add) => removeOf(add, nowMs, true)),
    ...missing.map((add) => ({ add: { ...add, dataChange: true } })),
    ...changed.map((txn) => ({ txn })),
  ];
}

/** @throws ForeignFilesGoneError when a file that is to be added again is not in the store. */
export async function checkThere(
  store: ObjectStore,
  actions: readonly Action[],
  keyOf: (path: string) => string,
): Promise<void> {
  const paths = actions.flatMap((action) => ('add' in action ? [uriToPath(action.add.path)] : []));
  const isThere = await mapInParallel(paths, PARALLEL_HEADS, async (path) => {
    try {
      await store.head(keyOf(path));
      return true;
    } catch (thrown) {
      if (thrown instanceof ObjectNotFoundError) return false;
      throw thrown;
    }
  });
  const gone = paths.filter((_, place) => !isThere[place]);
  if (gone.length > 0) throw new ForeignFilesGoneError(gone);
}
