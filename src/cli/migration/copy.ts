import { postgresOptions } from '../../app/backend-options.js';
import type { NamedSection } from '../../app/backend-sections.js';
import { openCold } from '../../app/cold-backends.js';
import { sectionOf } from '../../app/move/roles.js';
import { assertNever, IndexerError } from '../../core/errors.js';
import { compareRecords, type ParityReport } from '../../migration/parity/compare.js';
import { type RestoreReport, restore } from '../../sink/restore/restore.js';
import type { BackendStorage } from '../../storage/backend-storage.js';
import { migrate } from '../../storage/postgres/migrate/migrations.js';
import { createPostgresStorage } from '../../storage/postgres/postgres-storage.js';
import { formatCount, formatDuration } from '../amounts.js';
import { readConfig } from '../config/read-config.js';
import type { ConfigOptions } from '../config-option.js';
import { print, printJson } from '../storage/output.js';
import { runCommand, type StorageCommand } from '../storage/run-command.js';

/** Options of `migration copy`. */
export interface CopyOptions extends ConfigOptions {
  readonly from: string;
  readonly to: string;
  readonly json: boolean;
}

/** A backend that is opened for a copy. */
interface CopyEnd {
  readonly storage: BackendStorage;
  close(): Promise<void>;
}

/** Copies one backend to another, and compares the two. @returns the exit code: 1 when they differ. */
export async function copy(options: CopyOptions): Promise<number> {
  return await runCommand(readConfig(options), async (command) => {
    const { config, common, signal, progress } = command;
    if (options.from === options.to)
      throw new IndexerError('COPY_SAME', `--from and --to are both ${options.from}: name two backends`, false);
    const [from, to] = [sectionOf(config, options.from), sectionOf(config, options.to)];
    const source = await open(from, command, 'source');
    try {
      const target = await open(to, command, 'target');
      try {
        const report = await restore({
          ...{ source: source.storage, target: target.storage, common, signal },
          onProgress: ({ fromPosition, throughPosition, headPosition }) =>
            progress.show({
              step: `copying ${from.Name} to ${to.Name}`,
              done: Number(throughPosition - fromPosition),
              total: Number(headPosition - fromPosition),
              unit: 'positions',
            }),
        });
        const compared = await compareRecords({
          ...{ leader: { storage: source.storage }, follower: { storage: target.storage }, common, signal },
          onProgress: ({ throughPosition, targetPosition }) =>
            progress.show({
              step: 'comparing',
              done: Number(throughPosition),
              total: Number(targetPosition),
              unit: 'positions',
            }),
        });
        progress.close();
        const differences = countOf(compared);
        if (options.json) printJson({ from: from.Name, to: to.Name, ...report, compared });
        else print(...lines(report, compared, from.Name, to.Name));
        return differences === 0 ? 0 : 1;
      } finally {
        await target.close();
      }
    } finally {
      await source.close();
    }
  });
}

async function open(
  section: NamedSection,
  { config, common }: StorageCommand,
  side: 'source' | 'target',
): Promise<CopyEnd> {
  switch (section.Type) {
    case 'memory':
      throw new IndexerError(
        'COPY_MEMORY',
        `backend ${section.Name} is the memory of a process: 'restore' of the library copies it there`,
        false,
      );
    case 'postgres': {
      const place = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
      const { connection, namespace } = place;
      if (side === 'target') await migrate({ connection, namespace, log: common.log });
      const storage = createPostgresStorage({ ...place, leads: side === 'source' });
      return { storage, close: () => storage.close() };
    }
    case 's3': {
      if (!section.S3) throw new IndexerError('NO_COLD_BACKEND', `backend ${section.Name} has no S3 table`, false);
      const cold = openCold(config, { ...section, S3: section.S3 }, common);
      if (side === 'target') await cold.check();
      return cold;
    }
    default:
      return assertNever(section.Type, 'storage type');
  }
}

function countOf({ differenceCounts: { missing, surplus, different } }: ParityReport): number {
  return missing + surplus + different;
}

function lines(report: RestoreReport, compared: ParityReport, from: string, to: string): readonly string[] {
  const records = Object.values(report.changes).reduce((sum, count) => sum + count, 0);
  const differences = countOf(compared);
  return [
    records === 0
      ? `${to} held everything of ${from} already`
      : `${to} took ${formatCount(records)} records from ${from} in ${formatDuration(report.elapsedMs)}`,
    `it stands at position ${formatCount(report.throughPosition)}`,
    differences === 0
      ? `${formatCount(compared.records)} records compared: no difference`
      : `${formatCount(differences)} of ${formatCount(compared.records)} records differ: do not start with ${to}`,
  ];
}
