import { AbortedError } from '../../../core/errors.js';
import { DeltaConflictError } from '../delta/delta-errors.js';
import type { DeltaLog } from '../delta/delta-log.js';
import { TABLE_NAMES, type TableName } from '../rows/table-name.js';
import type { MaintenanceOptions, RollbackReport } from './cold-maintenance.js';

/**
 * Rolls the commits of other writers back, table by table. A namespace with such commits cannot be opened.
 * @throws AbortedError, ForeignFilesGoneError, and the errors of the object store and the logs.
 */
export async function rollBackNamespace(
  logs: Readonly<Record<TableName, DeltaLog>>,
  { signal }: MaintenanceOptions,
): Promise<RollbackReport> {
  const tables: RollbackReport['tables'][number][] = [];
  for (const table of TABLE_NAMES) {
    if (signal?.aborted) throw new AbortedError('rollback', { cause: signal.reason });
    const restored = await rollBack(logs[table]);
    if (restored) tables.push({ table, ...restored });
  }
  return { tables };
}

/** Again while others commit. */
async function rollBack(log: DeltaLog) {
  for (;;)
    try {
      return await log.rollBack();
    } catch (thrown) {
      if (!(thrown instanceof DeltaConflictError)) throw thrown;
    }
}
