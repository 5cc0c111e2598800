import {
  type DoomedThere,
  type DroppedThere,
  type DropWish,
  dropNamespace,
  planDrop,
} from '../../app/namespaces/drop.js';
import { describeWait } from '../../storage/postgres/migrate/migration-run.js';
import { formatBytes, formatCount } from '../amounts.js';
import type { ConfigOptions } from '../config-option.js';
import { print, printJson } from '../storage/output.js';
import { runStorageCommand } from '../storage/run-command.js';
import { requireName } from './confirmation.js';

/** Options of `namespace drop`. */
export interface DropOptions extends ConfigOptions {
  readonly only?: 'database' | 'cold';
  readonly backend?: string;
  readonly confirm?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Deletes a namespace. @returns the exit code. */
export async function drop(namespace: string, options: DropOptions): Promise<number> {
  const { only, backend, force = false, json = false, dryRun = false } = options;
  const wish: DropWish = { namespace, force, ...(only ? { only } : {}), ...(backend === undefined ? {} : { backend }) };
  return await runStorageCommand(options, async ({ config, common, signal, progress }) => {
    const doomed = await planDrop(config, wish, common, signal);
    const total = doomed.reduce((sum, each) => sum + (each.type === 's3' ? each.files : 0), 0);
    if (dryRun || doomed.every(isEmpty)) {
      if (json) printJson({ namespace, dryRun, backends: doomed });
      else print(...doomed.map((each) => describeDoomed(each, dryRun)));
      return 0;
    }
    const warning = doomed.map((each) => `${describeDoomed(each, true)}\n`).join('');
    process.stderr.write(`of namespace ${namespace} this is deleted, for good:\n${warning}`);
    await requireName(namespace, options.confirm, signal);
    const dropped = await dropNamespace(config, wish, common, {
      signal,
      events: {
        waiting: (name, wait) => void process.stderr.write(`${name}: ${describeWait(wait)}\n`),
        deleted: (name, done) => progress.show({ step: `deleting in ${name}`, done, total, unit: 'files' }),
      },
    });
    progress.close();
    if (json) printJson({ namespace, dryRun, backends: dropped });
    else print(...dropped.map(describeDropped));
    return 0;
  });
}

function isEmpty(each: DoomedThere): boolean {
  return each.type === 'postgres' ? each.tables.length === 0 : each.files === 0;
}

function describeDoomed(each: DoomedThere, isDoomed: boolean): string {
  const head = `  ${each.backend} (${each.place}): `;
  if (isEmpty(each)) return `${head}nothing is there`;
  const verb = isDoomed ? '' : 'holds ';
  if (each.type === 's3') return `${head}${verb}${formatCount(each.files)} files, ${formatBytes(each.bytes)}`;
  const rows = each.tables.reduce((sum, table) => sum + table.rows, 0);
  const bytes = each.tables.reduce((sum, table) => sum + table.bytes, 0);
  const about = each.tables.some(({ isEstimate }) => isEstimate) ? '~' : '';
  return `${head}${verb}${each.tables.length} tables, ${about}${formatCount(rows)} rows, ${formatBytes(bytes)}`;
}

function describeDropped(each: DroppedThere): string {
  const head = `${each.backend} (${each.place}): `;
  if (each.type === 's3') return `${head}${formatCount(each.files)} files deleted, ${formatBytes(each.bytes)}`;
  if (each.schema === null) return `${head}nothing was there`;
  const { tables, isSchemaDropped } = each.schema;
  return isSchemaDropped
    ? `${head}dropped with ${tables} tables`
    : `${head}${tables} tables dropped; the schema stays: it is of others, or holds something of theirs`;
}
