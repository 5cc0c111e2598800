import { assertNever } from '../../../core/errors.js';
import type { Change } from '../../../model/batch.js';
import { EXECUTION_ROWS } from './executions.js';
import { LEDGER_ROWS } from './ledger.js';
import { MESSAGE_ROWS } from './messages.js';
import { VERIFIER_RESULT_ROWS } from './verifier-results.js';

/** About how many bytes the record of a change takes before compression. */
export function sizeOfChange(change: Change): number {
  switch (change.kind) {
    case 'message':
      return MESSAGE_ROWS.sizeOf(change.record);
    case 'verifierResult':
      return VERIFIER_RESULT_ROWS.sizeOf(change.record);
    case 'execution':
      return EXECUTION_ROWS.sizeOf(change.record);
    case 'cursor':
    case 'quarantine':
    case 'conflict':
      return LEDGER_ROWS.sizeOf(change);
    default:
      return assertNever(change, 'kind of change');
  }
}
