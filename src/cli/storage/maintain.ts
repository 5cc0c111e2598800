import { backendSections } from '../../app/backend-sections.js';
import { coldSections, nothingThere, type OpenedCold, openCold } from '../../app/cold-backends.js';
import { leastGraceMs } from '../../config/checks/s3-checks.js';
import { longestStatementMs } from '../../config/checks/storage-checks.js';
import type { Config } from '../../config/schema/schema.js';
import { IndexerError } from '../../core/errors.js';
import type {
  CompactionReport,
  RollbackReport,
  VacuumReport,
  VerifyReport,
} from '../../storage/cold/maintenance/cold-maintenance.js';
import { formatBytes, formatCount, formatDuration } from '../amounts.js';
import { textTable } from '../text-table.js';
import { print, printJson } from './output.js';
import { runStorageCommand, type StorageCommand, type StorageOptions, unlessStopped } from './run-command.js';

/** Options of `storage compact`. */
export interface CompactOptions extends StorageOptions {
  readonly full?: boolean;
}

/** Options of `storage vacuum`. */
export interface VacuumOptions extends StorageOptions {
  readonly dryRun?: boolean;
  /** Milliseconds. */
  readonly grace?: number;
  readonly force?: boolean;
}

/** Merges small files of every cold backend. @returns the exit code. */
export async function compact(options: CompactOptions): Promise<number> {
  return await eachCold(options, describeCompaction, async (cold, { signal, progress }) => {
    await cold.check();
    return await cold.storage.maintenance.compact({
      signal,
      onProgress: progress.show,
      ...(options.full === true ? { full: true } : {}),
    });
  });
}

/** Deletes files without a use. @returns the exit code. */
export async function vacuum(options: VacuumOptions): Promise<number> {
  return await eachCold(options, describeVacuum, async (cold, { config, signal, progress }) => {
    const graceMs = options.grace ?? cold.section.S3.Grace;
    if (options.dryRun !== true && options.force !== true) refuseShortGrace(config, cold, graceMs);
    return await cold.storage.maintenance.vacuum({
      signal,
      onProgress: progress.show,
      graceMs,
      ...(options.dryRun === true ? { dryRun: true } : {}),
    });
  });
}

/** Reads everything back. @returns the exit code: 1 when something is wrong. */
export async function verify(options: StorageOptions): Promise<number> {
  let isFine = true;
  const code = await eachCold(options, describeVerification, async (cold, { signal, progress }) => {
    const report = await cold.storage.maintenance.verify({ signal, onProgress: progress.show });
    isFine &&= report.ok;
    return report;
  });
  return isFine ? code : 1;
}

/** Takes back what something else has committed to the tables. @returns the exit code. */
export async function rollback(options: StorageOptions): Promise<number> {
  return await eachCold(options, describeRollback, async (cold, { signal }) => {
    return await cold.storage.maintenance.rollback({ signal });
  });
}

/** A flush under way has stored files that no commit names yet: without them its commit is damaged. */
function refuseShortGrace(config: Config, { name, section }: OpenedCold, graceMs: number): void {
  const leastMs = leastGraceMs(section.S3, longestStatementMs(backendSections(config)));
  if (graceMs >= leastMs) return;
  throw new IndexerError(
    'GRACE_TOO_SHORT',
    `a grace below ${leastMs / 1_000} s may delete what a flush or a reader of backend ${name} needs right now: ` +
      'stop every process that uses it and add --force, or write a longer --grace',
    false,
  );
}

async function eachCold<R extends object>(
  options: StorageOptions,
  describe: (report: R) => string[],
  work: (cold: OpenedCold, command: StorageCommand) => Promise<R>,
): Promise<number> {
  return await runStorageCommand(options, async (command) => {
    const reports: object[] = [];
    for (const section of coldSections(command.config, options.backend)) {
      const cold = openCold(command.config, section, command.common);
      try {
        if (!(await unlessStopped(command.signal, cold.holdsAnything())))
          throw new IndexerError('COLD_TIER_EMPTY', nothingThere(cold, command.config.Namespace), false);
        const startedMs = command.common.clock.monotonicMs();
        const report = await work(cold, command);
        const elapsedMs = Math.round(command.common.clock.monotonicMs() - startedMs);
        command.progress.close();
        if (options.json === true) reports.push({ backend: cold.name, place: cold.place, elapsedMs, ...report });
        else print(`${cold.name} (${cold.place}), ${formatDuration(elapsedMs)}`, ...describe(report));
      } finally {
        await cold.close();
      }
    }
    if (options.json === true) printJson(reports);
    return 0;
  });
}

function describeRollback({ tables }: RollbackReport): string[] {
  if (tables.length === 0) return ['  nothing to roll back: every commit is of ccv-indexer'];
  return tables.map(
    ({ table, restoredVersion, undone }) =>
      `  ${table}: as of version ${formatCount(restoredVersion)} again, ${formatCount(undone)} commits undone`,
  );
}

function describeCompaction({ tables }: CompactionReport): string[] {
  if (tables.every(({ filesRewritten }) => filesRewritten === 0)) return ['  nothing to compact'];
  return textTable(
    [
      ['table', 'files', '', 'bytes', '', 'rows dropped', 'rewritten'],
      ...tables.map((table) => [
        table.table,
        formatCount(table.filesBefore),
        `→ ${formatCount(table.filesAfter)}`,
        formatBytes(table.bytesBefore),
        `→ ${formatBytes(table.bytesAfter)}`,
        formatCount(table.rowsDropped),
        `${formatCount(table.filesRewritten)} files, ${formatBytes(table.bytesRewritten)}`,
      ]),
    ],
    '  ',
  );
}

function describeVacuum(report: VacuumReport): string[] {
  const { removedFiles, removedBytes, orphans, orphanBytes, logEntries, dryRun } = report;
  return [
    `  ${dryRun ? 'would delete' : 'deleted'} ${formatCount(removedFiles)} files that were replaced ` +
      `(${formatBytes(removedBytes)})`,
    `  ${dryRun ? 'would delete' : 'deleted'} ${formatCount(orphans)} files that nothing names ` +
      `(${formatBytes(orphanBytes)})`,
    ...(dryRun ? [] : [`  deleted ${formatCount(logEntries)} log entries that a checkpoint stands for`]),
  ];
}

function describeVerification({ ok, files, rows, bytes, uncomparedRows, problems }: VerifyReport): string[] {
  const read = [
    `  read ${formatCount(files)} files, ${formatCount(rows)} rows, ${formatBytes(bytes)}`,
    ...(uncomparedRows > 0
      ? [`  ${formatCount(uncomparedRows)} rows were too many to be compared with all others for records stored twice`]
      : []),
  ];
  if (ok) return [...read, '  everything is as it must be'];
  return [
    ...read,
    `  ${formatCount(problems.length)} ${problems.length === 1 ? 'problem' : 'problems'}:`,
    ...problems.flatMap(({ table, path, what, advice }) => [
      `  - ${path === '' ? table : `${table}/${path}`}: ${what}`,
      `    ${advice}`,
    ]),
  ];
}
