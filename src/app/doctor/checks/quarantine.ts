import { outsideText } from '../../../core/outside-text.js';
import type { Refusals } from '../../../storage/postgres/diagnosis/quarantine.js';
import { defineCheck } from '../check.js';
import { recordSection } from '../record.js';
import { refusedInput } from '../refusals.js';

/** Older entries are history. */
const RECENT_MS = 24 * 3_600_000;

/** Input that failed a check, and conflicts, by source and reason. */
export const quarantineCheck = defineCheck({
  name: 'quarantine',
  about: 'input that failed a check, and conflicts; those older than a day are info',
  kinds: {
    'quarantine-filled': {
      severity: 'warning',
      meaning:
        'Input of this source failed a check and is in quarantine: the messages or results in it are not served.',
      next: 'read it at /quarantine of the admin port; correct the source, then replay it: `ccv-indexer replay --help`',
    },
    'conflicts-recorded': {
      severity: 'warning',
      meaning: 'Records arrived again with other bytes; the first stay, and one of the two senders is wrong.',
      next: '`ccv-indexer inspect {message}` shows the last one with its sources; all: /conflicts of the admin port',
    },
  },
  async run(look) {
    const { config, common, each, found } = look;
    const section = recordSection(config);
    if (!section) return;
    const sinceMs = common.clock.nowMs() - RECENT_MS;
    const changes = ({ recent }: Refusals) => (recent > 0 ? {} : { severity: 'info' as const });
    const figures = ({ entries, recent, lastMs }: Refusals) => ({ entries, lastDay: recent, lastMs });
    await each(
      [section],
      ({ Name }) => Name,
      async () => {
        const refused = await refusedInput(section, look, sinceMs);
        for (const group of refused.quarantined) {
          const { source, reason, lastDetail } = group;
          const evidence = { reason, ...figures(group), last: outsideText(lastDetail) };
          found('quarantine-filled', source, evidence, changes(group));
        }
        for (const group of refused.conflicted)
          found('conflicts-recorded', group.source, { ...figures(group), message: group.lastDetail }, changes(group));
      },
    );
  },
});
