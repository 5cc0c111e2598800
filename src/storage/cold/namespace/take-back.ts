import { type Action, removeOf } from '../delta/actions.js';
import type { DeltaLog } from '../delta/delta-log.js';
import type { DeltaSnapshot } from '../delta/snapshot.js';
import type { TableName } from '../rows/table-name.js';
import { commitBesideCompactions } from './rebased-commit.js';
import { addedFiles, type DirtyTable, dirtyTables, type Survey } from './unnamed.js';

const FENCE_APP = 'ccv-indexer:fence';

/**
 * Takes the commits of a flush back that will not be ended, so that each table is as it was named. A commit of the
 * ledger comes first: the writer of the flush, if it lives, cannot end it any more.
 * @throws DeltaConflictError when another writer committed since.
 */
export async function takeBack(
  logs: Readonly<Record<TableName, DeltaLog>>,
  survey: Survey,
  nowMs: number,
): Promise<Survey> {
  const { view, tops } = survey;
  const dirty = dirtyTables(survey);
  if (dirty.length === 0 || tops.ledger === null) return survey;
  const fence = ({ version }: DeltaSnapshot): Action[] => [
    { txn: { appId: FENCE_APP, version: BigInt(version + 1), lastUpdated: nowMs } },
  ];
  const ledger = await commitBesideCompactions(logs.ledger, tops.ledger, fence, { operation: 'FENCE' });
  const found = { ...tops, ledger };
  for (const each of dirty) {
    const actions = takingBack(each, nowMs);
    found[each.table] = await logs[each.table].prepare(each.top, actions, { operation: 'TAKE BACK' });
  }
  return { view, tops: found };
}

/** The files of the named version are still there: a vacuum keeps them. */
function takingBack(dirty: DirtyTable, nowMs: number): Action[] {
  const { named, top } = dirty;
  const missing = [...named.files.values()].filter(({ path }) => !top.files.has(path));
  return [
    ...addedFiles(dirty).map((add) => removeOf(add, nowMs, true)),
    ...missing.map((add) => ({ add: { ...add, dataChange: true } })),
  ];
}
