import { sharedChainId } from '../../../chains/source-ids.js';
import type { Config } from '../../../config/schema/schema.js';
import { discoveryGroupId, discoverySourceId } from '../../../discovery/source-ids.js';
import { createPostgresStorage } from '../../../storage/postgres/postgres-storage.js';
import { postgresOptions } from '../../backend-options.js';
import { backendSections, leadingDatabase } from '../../backend-sections.js';
import { defineCheck } from '../check.js';

/** A source is taken within seconds once its owner is gone. */
const MOST_FREE_MS = 60_000;

/** The workers that share the sources, and whether every source has an owner. */
export const workerCheck = defineCheck({
  name: 'workers',
  about: 'the workers that share the sources, and whether every source has an owner',
  kinds: {
    'no-worker': {
      severity: 'info',
      meaning: 'No worker runs, so nothing is indexed meanwhile; nothing is lost by that.',
      next: '`ccv-indexer start`, or `ccv-indexer worker`, if one should run',
    },
    'source-unconfigured': {
      severity: 'error',
      meaning: 'Workers run, and none of them is configured with this source: nothing of it is read.',
      next: 'give the workers the configuration that was looked at here, and restart them',
    },
    'source-unowned': {
      severity: 'error',
      meaning: 'Workers run that are configured with this source, and none of them has taken it for long.',
      next: '`ccv-indexer status`, then the log of the workers; restart them',
    },
  },
  async run({ config, common, each, found }) {
    const section = leadingDatabase(backendSections(config));
    if (!section) return;
    await each(
      [section],
      ({ Name }) => Name,
      async () => {
        const { pool, ...place } = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
        const storage = createPostgresStorage({
          ...place,
          pool: { ...pool, maxOpenConnections: 2 },
          use: 'read',
          leads: false,
        });
        try {
          const { members, leases } = await storage.leases.shares();
          if (members.length === 0) return found('no-worker', section.Name, { sources: leases.length });
          const there = new Set(members.map(({ member }) => member));
          for (const source of sourcesOf(config)) {
            const able = members.filter(({ sources }) => sources.includes(source));
            const lease = leases.find((each) => each.source === source);
            const ageMs = common.clock.nowMs() - Math.max(lease?.sinceMs ?? 0, ...able.map(({ sinceMs }) => sinceMs));
            if (able.length === 0) found('source-unconfigured', source, { workers: members.length });
            else if (!there.has(lease?.owner ?? '') && ageMs > MOST_FREE_MS)
              found('source-unowned', source, { workers: able.length, owner: lease?.owner ?? null, ageMs });
          }
        } finally {
          await storage.close();
        }
      },
    );
  },
});

/** The sources of a configuration as workers share them. */
function sourcesOf({ Chain, Discoveries }: Config): readonly string[] {
  const chains = Chain.map(({ Selector }) => sharedChainId(Selector));
  const aggregators = Discoveries.map(({ Name, Group }) =>
    Group === undefined ? discoverySourceId(Name) : discoveryGroupId(Group),
  );
  return [...new Set([...chains, ...aggregators])];
}
