import { codeOf, messagesOf, nextStepOf, toError } from '../../../core/errors.js';
import { serverState } from '../../../storage/postgres/diagnosis/server-state.js';
import { leadingDatabase } from '../../backend-sections.js';
import { defineCheck } from '../check.js';
import { databaseSections, withDatabase } from '../databases.js';

/** Whether every database answers, and takes writes where it must. */
export const postgresCheck = defineCheck({
  name: 'postgres',
  about: 'whether every database answers, and takes writes where it must',
  kinds: {
    'postgres-unreachable': {
      severity: 'critical',
      meaning: 'The database cannot be used: without the one that leads nothing is written, and new records not read.',
      next: 'see URI, network and server; the processes go on by themselves once it answers',
    },
    'postgres-read-only': {
      severity: 'critical',
      meaning: 'The database that leads takes no writes: it is a standby, or was told so.',
      next: 'let the URI lead to the primary (target_session_attrs), or see default_transaction_read_only',
    },
    'postgres-pooled': {
      severity: 'info',
      meaning: 'A pooler stands before the database: queries take longer, and commits of others are looked for.',
      next: 'let the URI lead to the server itself, unless the pooler is needed',
    },
  },
  async run(look) {
    const sections = databaseSections(look.config);
    const leader = leadingDatabase(sections);
    await look.each(
      sections,
      ({ Name }) => Name,
      async (section) => {
        try {
          await withDatabase(section, look, async (diagnosis) => {
            const { version, isReadOnly, isStandby } = await serverState(diagnosis);
            if (isReadOnly && section === leader)
              look.found('postgres-read-only', section.Name, { version, isStandby });
            if (diagnosis.pooled) look.found('postgres-pooled', section.Name, { version });
          });
        } catch (thrown) {
          const error = toError(thrown);
          const next = nextStepOf(error);
          look.found(
            'postgres-unreachable',
            section.Name,
            { reason: messagesOf(error).join(': '), code: codeOf(error), leads: section === leader },
            { ...(next === null ? {} : { next }), ...(section === leader ? {} : { severity: 'error' as const }) },
          );
        }
      },
    );
  },
});
