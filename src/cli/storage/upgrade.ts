import { coldSections, openCold } from '../../app/cold-backends.js';
import { openObjectStore } from '../../app/open-object-store.js';
import type { S3Section } from '../../config/schema/s3-schema.js';
import { IndexerError } from '../../core/errors.js';
import type { UpgradeReport } from '../../storage/cold/maintenance/cold-maintenance.js';
import { formatCount, formatDuration } from '../amounts.js';
import { print, printJson } from './output.js';
import { runStorageCommand, type StorageOptions } from './run-command.js';

/** Options of `storage upgrade`. */
export interface UpgradeOptions extends StorageOptions {
  /** The prefix, or the directory, of the tier in format 1. */
  readonly from: string;
}

/** Copies a cold tier of format 1 to where the configuration has its place now. @returns the exit code. */
export async function upgrade(options: UpgradeOptions): Promise<number> {
  return await runStorageCommand(options, async ({ config, common, signal, progress }) => {
    const [section, another] = coldSections(config, options.backend);
    if (!section || another)
      throw new IndexerError('SEVERAL_COLD_BACKENDS', 'write --backend: one is upgraded at a time', false);
    const cold = openCold(config, section, common);
    const source = openObjectStore(section.Name, elsewhere(section.S3, options.from), common);
    try {
      if (source.place === cold.place)
        throw new IndexerError(
          'UPGRADE_REFUSED',
          `${cold.place} is the place that the configuration has: give the backend a new ` +
            `${section.S3.Directory === undefined ? 'Prefix' : 'Directory'}, to copy into`,
          false,
        );
      await source.look();
      await cold.check();
      const startedMs = common.clock.monotonicMs();
      const report = await cold.storage.maintenance.upgrade({ from: source.store, signal, onProgress: progress.show });
      const elapsedMs = Math.round(common.clock.monotonicMs() - startedMs);
      progress.close();
      if (options.json === true)
        printJson({ backend: cold.name, from: source.place, to: cold.place, elapsedMs, ...report });
      else print(`${source.place} → ${cold.place}, ${formatDuration(elapsedMs)}`, ...describe(report));
      return 0;
    } finally {
      await cold.close();
      await source.store.close();
    }
  });
}

function elsewhere(section: S3Section, place: string): S3Section {
  return section.Directory === undefined ? { ...section, Prefix: place } : { ...section, Directory: place };
}

function describe({ position, rows, orphans }: UpgradeReport): string[] {
  return [
    `  complete up to position ${formatCount(position)}`,
    `  ${formatCount(rows)} rows written, ${formatCount(orphans)} of orphaned records in the ledger`,
  ];
}
