import { allTargets, statusOf } from '../../migrations.js';
import { defineCheck } from '../check.js';

/** The schema of every database against the migrations of this version. */
export const schemaCheck = defineCheck({
  name: 'schema',
  about: 'the schema of every database against the migrations of this version',
  kinds: {
    'schema-missing': {
      severity: 'critical',
      meaning: 'The database has no tables of this namespace, so nothing is stored in it.',
      next: 'correct Namespace and URI if others are meant, else run `ccv-indexer migrate up`',
    },
    'schema-behind': {
      severity: 'critical',
      meaning: 'The schema of the database lacks migrations of this version, which does not start with it.',
      next: '`ccv-indexer migrate up`',
    },
    'schema-newer': {
      severity: 'critical',
      meaning: 'The schema of the database was made by a newer version, and this one must not be used with it.',
      next: 'install the version that made it, or a later one',
    },
  },
  async run({ config, each, found }) {
    await each(
      allTargets(config),
      ({ backend }) => backend,
      async (target) => {
        const { applied, pending, unknown } = await statusOf(target);
        const namesOf = (migrations: typeof pending) => migrations.map(({ id, name }) => `${id} ${name}`);
        if (unknown.length > 0) found('schema-newer', target.backend, { newer: namesOf(unknown) });
        else if (applied.length === 0) found('schema-missing', target.backend, { namespace: target.namespace ?? '' });
        else if (pending.length > 0) found('schema-behind', target.backend, { pending: namesOf(pending) });
      },
    );
  },
});
