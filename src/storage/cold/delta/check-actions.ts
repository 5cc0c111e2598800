import { InvalidArgumentError } from '../../../core/errors.js';
import type { Action } from './actions.js';
import type { DeltaSnapshot } from './snapshot.js';

/**
 * PROTOCOL.md, "Requirements for Writers", "Delta Log Entries": no two actions of a commit reconcile with each other.
 */
export function checkActions(snapshot: DeltaSnapshot, actions: readonly Action[]): void {
  const seen = new Set<string>();
  for (const action of actions) {
    const name = actionName(action);
    if (seen.has(name)) throw new InvalidArgumentError(`a commit says twice: ${name}`);
    seen.add(name);
    if ('remove' in action && !snapshot.files.has(action.remove.path))
      throw new InvalidArgumentError(`a commit removes ${action.remove.path}, which is not in the table`);
    if ('add' in action && snapshot.files.has(action.add.path))
      throw new InvalidArgumentError(`a commit adds ${action.add.path}, which is in the table`);
  }
}

function actionName(action: Action): string {
  if ('add' in action) return `file ${action.add.path}`;
  if ('remove' in action) return `file ${action.remove.path}`;
  if ('txn' in action) return `txn ${action.txn.appId}`;
  return 'protocol' in action ? 'protocol' : 'metaData';
}
