import { postgresOptions } from '../../app/backend-options.js';
import { backendSections, leadingDatabase, type NamedSection } from '../../app/backend-sections.js';
import { coldSections, nothingThere, type OpenedCold, openCold } from '../../app/cold-backends.js';
import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { IndexerError } from '../../core/errors.js';
import { type ComparedCount, compareStorages } from '../../sink/restore/compare-storages.js';
import {
  RestoreError,
  type RestoreProgress,
  type RestoreReport,
  restore as restoreStorage,
} from '../../sink/restore/restore.js';
import { inspectPostgres, type PostgresInspection } from '../../storage/postgres/inspection.js';
import { migrate } from '../../storage/postgres/migrate/migrations.js';
import { createPostgresStorage } from '../../storage/postgres/postgres-storage.js';
import { formatCount, formatDuration, formatMs } from '../amounts.js';
import { textTable } from '../text-table.js';
import { print, printJson } from './output.js';
import { runStorageCommand, type StorageCommand, type StorageOptions, unlessStopped } from './run-command.js';

/** Options of `storage restore`. */
export interface RestoreCommandOptions extends Omit<StorageOptions, 'backend'> {
  /** The cold backend; default: the only one. */
  readonly from?: string;
  /** The Postgres backend; default: the one that leads. */
  readonly to?: string;
  readonly force?: boolean;
}

/** Counting everything once may take longer than a query of a service. */
const COUNT_LIMIT_MS = 600_000;
/** Connections of a restore that was killed a moment ago are still there. */
const LINGER_MS = 5_000;
const LINGER_POLL_MS = 100;

/** Rebuilds a Postgres backend from the cold tier. @returns the exit code: 1 when the two differ in the end. */
export async function restore(options: RestoreCommandOptions): Promise<number> {
  return await runStorageCommand(options, async (command) => {
    const { config, common } = command;
    const section = targetSection(config, options.to);
    const cold = openCold(config, sourceSection(config, options.from), common);
    try {
      const target = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
      const outcome = await run(command, cold, target, options.force === true);
      command.progress.close();
      if (options.json === true) printJson({ from: cold.name, to: section.Name, ...outcome });
      else print(...describe(outcome, cold.name, section.Name));
      return outcome.compared.every(({ same }) => same) ? 0 : 1;
    } finally {
      await cold.close();
    }
  });
}

interface Outcome extends RestoreReport {
  readonly recordsPerSecond: number;
  /** Counts of the target (`first`) and of the cold tier (`second`). */
  readonly compared: readonly ComparedCount[];
}

async function run(
  { config, common, signal, progress }: StorageCommand,
  cold: OpenedCold,
  options: ReturnType<typeof postgresOptions>,
  force: boolean,
): Promise<Outcome> {
  const { connection, namespace, name = 'postgres' } = options;
  // before anything is done to the database
  if (!(await unlessStopped(signal, cold.holdsAnything())))
    throw new RestoreError('RESTORE_NOTHING', nothingThere(cold, config.Namespace));
  const inspection = await unlessStopped(signal, inspectPostgres({ name, connection, namespace }));
  try {
    if (!force) await refuseWhileUsed(inspection, name, namespace, common, signal);
    await unlessStopped(signal, migrate({ connection, namespace, log: common.log }));
    const target = createPostgresStorage({
      ...options,
      pool: { ...options.pool, statementTimeoutMs: COUNT_LIMIT_MS },
    });
    try {
      const report = await restoreStorage({
        source: cold.storage,
        target,
        inspect: () => unlessStopped(signal, inspect(inspection)),
        common,
        signal,
        onProgress: (each) => progress.show(toStep(each, name)),
      });
      const compared = await unlessStopped(signal, compareStorages(target, cold.storage, report.headMs));
      return { ...report, recordsPerSecond: rateOf(report), compared };
    } finally {
      await target.close();
    }
  } finally {
    await inspection.close();
  }
}

async function inspect(inspection: PostgresInspection) {
  const { hasOwnCommits, floorPosition } = await inspection.describe();
  return { hasOwnHistory: hasOwnCommits || floorPosition > 0n, sample: await inspection.sampleIds() };
}

async function refuseWhileUsed(
  inspection: PostgresInspection,
  name: string,
  namespace: string,
  { clock }: Common,
  signal: AbortSignal,
): Promise<void> {
  const deadlineMs = clock.monotonicMs() + LINGER_MS;
  let connections = await inspection.otherConnections();
  while (connections > 0 && clock.monotonicMs() < deadlineMs) {
    await clock.sleep(LINGER_POLL_MS, signal);
    connections = await inspection.otherConnections();
  }
  if (connections === 0) return;
  throw new IndexerError(
    'RESTORE_TARGET_BUSY',
    `${connections} connections of other processes work on namespace ${namespace} of backend ${name}: stop every ` +
      'worker; add --force when those that are left only answer queries',
    false,
  );
}

function toStep({ fromPosition, throughPosition, headPosition }: RestoreProgress, name: string) {
  return {
    step: `restoring ${name}`,
    done: Number(throughPosition - fromPosition),
    total: Number(headPosition - fromPosition),
    unit: 'rows' as const,
  };
}

function recordsOf({ changes }: RestoreProgress): number {
  return Object.values(changes).reduce((sum, count) => sum + count, 0);
}

function rateOf(report: RestoreReport): number {
  return report.elapsedMs > 0 ? Math.round((recordsOf(report) * 1_000) / report.elapsedMs) : 0;
}

function describe(outcome: Outcome, from: string, to: string): string[] {
  const records = recordsOf(outcome);
  const isSame = outcome.compared.every(({ same }) => same);
  return [
    records === 0
      ? `${to} held everything of ${from} already`
      : `${to} took ${formatCount(records)} records from ${from} in ${formatDuration(outcome.elapsedMs)} ` +
        `(${formatCount(outcome.recordsPerSecond)} records/s)`,
    `it stands at position ${formatCount(outcome.throughPosition)}, last commit ${formatMs(outcome.headMs)}`,
    ...textTable(
      [
        ['', to, from],
        ...outcome.compared.map(({ what, first, second, same }) => [
          what,
          formatCount(first),
          `${formatCount(second)}${same ? '' : '  DIFFERS'}`,
        ]),
      ],
      '  ',
    ),
    ...(isSame ? [] : ['the two do not hold the same: do not start a worker, and verify the cold tier']),
  ];
}

function sourceSection(config: Config, name: string | undefined) {
  const [section, ...others] = coldSections(config, name);
  if (section && others.length === 0) return section;
  throw new IndexerError('AMBIGUOUS_BACKEND', 'there are several cold backends: name one with --from', false);
}

/** The system of record, unless another is named. */
function targetSection(config: Config, name: string | undefined): NamedSection {
  const databases = backendSections(config).filter(({ Type }) => Type === 'postgres');
  const wanted = name === undefined ? leadingDatabase(databases) : databases.find(({ Name }) => Name === name);
  if (wanted) return wanted;
  const known = databases.map(({ Name }) => Name).join(', ');
  throw new IndexerError(
    'NO_DATABASE',
    known === ''
      ? 'no backend of Type = "postgres" is configured: there is nothing to restore into'
      : `no Postgres backend is called ${name}: write one of ${known}`,
    false,
  );
}
