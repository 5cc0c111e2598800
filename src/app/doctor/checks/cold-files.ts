import type { Config } from '../../../config/schema/schema.js';
import type { Common } from '../../../core/common.js';
import type { VerifyReport } from '../../../storage/cold/maintenance/cold-maintenance.js';
import { allColdSections, type ColdSection, openCold } from '../../cold-backends.js';
import { defineCheck } from '../check.js';
import type { Repair } from '../finding.js';

/** Problems of one backend that are told each by itself. */
const MOST_PROBLEMS = 10;
/** A vacuum by hand is worth it from here on. */
const MUCH_GARBAGE_BYTES = 10 * 1024 ** 3;

/** The Delta logs of the cold tier, and the files that they name. */
export const coldFileCheck = defineCheck({
  name: 'cold-files',
  about:
    'the Delta logs of the cold tier, and whether every file that they name is there with its size; ' +
    'their content with `--full`',
  kinds: {
    'cold-damaged': {
      severity: 'critical',
      meaning: 'An object of the cold tier is missing or not what it must be: records in it may be lost.',
      next: '{advice}; `ccv-indexer storage verify` reads everything',
    },
    'cold-torn': {
      severity: 'info',
      meaning: 'Files of a flush are not named yet: it is under way, or died, and the next one takes its place.',
      next: 'look again in a minute',
    },
    'cold-garbage': {
      severity: 'warning',
      meaning: 'The cold tier holds much that nothing needs any more.',
      next: '`ccv-indexer storage vacuum`, if VacuumInterval is 0 or no worker runs',
    },
  },
  async run({ config, common, isFull, signal, each, found }) {
    await each(
      allColdSections(config),
      ({ Name }) => Name,
      async (section) => {
        const cold = openCold(config, section, common);
        try {
          if (!(await cold.holdsAnything())) return;
          const report: VerifyReport = await cold.storage.maintenance.verify({ signal, content: isFull });
          for (const { table, path, what, advice } of report.problems.slice(0, MOST_PROBLEMS)) {
            const object = path === '' ? table : `${table}/${path}`;
            found('cold-damaged', section.Name, { object, what, advice, problems: report.problems.length });
          }
          // without its log or files it cannot be opened
          if (!report.ok) return;
          const { tornFiles, waitingForVacuum } = await cold.storage.maintenance.describe();
          if (tornFiles > 0) found('cold-torn', section.Name, { files: tornFiles });
          if (waitingForVacuum.bytes > MUCH_GARBAGE_BYTES)
            found(
              'cold-garbage',
              section.Name,
              { ...waitingForVacuum },
              { repair: vacuumRepair(config, section, common) },
            );
        } finally {
          await cold.close();
        }
      },
    );
  },
});

/** A vacuum with the configured grace, which spares what readers and flushes may hold. */
function vacuumRepair(config: Config, section: ColdSection, common: Common): Repair {
  return {
    title: `vacuum of ${section.Name}: files that were replaced or left more than ${section.S3.Grace / 1_000} s ago`,
    run: async (signal) => {
      const cold = openCold(config, section, common);
      try {
        await cold.check();
        await cold.storage.maintenance.vacuum({ signal, graceMs: section.S3.Grace });
      } finally {
        await cold.close();
      }
    },
  };
}
