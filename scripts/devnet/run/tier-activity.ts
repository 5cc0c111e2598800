import { postgresOptions } from '../../../src/app/backend-options.js';
import { backendSections } from '../../../src/app/backend-sections.js';
import type { Service } from '../../../src/app/service.js';
import type { Config } from '../../../src/config/schema/schema.js';
import type { Common } from '../../../src/core/common.js';
import { toError } from '../../../src/core/errors.js';
import type { BackendStatus } from '../../../src/sink/sink-status.js';
import type { ColdStorage } from '../../../src/storage/cold/cold-storage.js';
import { inspectPostgres, type PostgresInspection } from '../../../src/storage/postgres/inspection.js';
import type { TierRow, TierSnapshot } from '../view/tier-table.js';

/** Records and answers of the tiers of a running service, looked at now and then. */
export interface TierActivity {
  /** As of the last look; null before the first. */
  snapshot(): TierSnapshot | null;
  /** Looks a last time. Idempotent. */
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 1_000;
const RECORD_TABLES = ['messages', 'verifier_results'];

/** Starts looking. */
export function createTierActivity(options: {
  readonly common: Common;
  readonly config: Config;
  readonly service: Pick<Service, 'sink' | 'cold'>;
}): TierActivity {
  const { common, config, service } = options;
  const stopping = new AbortController();
  const inspections = new Map<string, PostgresInspection>();
  let last: TierSnapshot | null = null;

  async function rowOf(status: BackendStatus): Promise<TierRow> {
    const { fromPosition, throughPosition } = positionsOf(status);
    return {
      name: `${status.tier === status.name ? '' : `${status.name}, `}${status.tier}`,
      records: await recordsOf(status.name).catch((thrown: unknown) => {
        common.log.debug({ err: toError(thrown), backend: status.name }, 'a tier could not be counted');
        return null;
      }),
      positions: fromPosition > throughPosition ? null : { fromPosition, throughPosition },
      lookups: await sumOf(common, 'indexer_sink_lookups_total', { shape: status.tier }),
      lists: await sumOf(common, 'indexer_sink_queries_total', { shape: status.tier }),
    };
  }

  async function recordsOf(name: string): Promise<number> {
    const section = backendSections(config).find(({ Name }) => Name === name);
    const cold = service.cold.find((storage) => storage.name === name);
    if (cold) return await coldRecords(cold);
    if (section?.Type !== 'postgres') return await sumOf(common, 'indexer_memory_records', { backend: name });
    const { connection } = postgresOptions(name, config.Namespace, section.Postgres, common);
    const inspection =
      inspections.get(name) ?? (await inspectPostgres({ name, connection, namespace: config.Namespace }));
    inspections.set(name, inspection);
    const { tables } = await inspection.describe();
    return tables.reduce((sum, { table, rows }) => sum + (RECORD_TABLES.includes(table) ? rows : 0), 0);
  }

  async function look(): Promise<void> {
    try {
      const rows: TierRow[] = [];
      for (const status of await service.sink.status()) rows.push(await rowOf(status));
      const lists = (shape: string) => sumOf(common, 'indexer_sink_queries_total', { shape });
      const lookupGaps = await sumOf(common, 'indexer_sink_lookups_total', { shape: 'gap' });
      last = { rows, sharedLists: await lists('mixed'), unanswered: lookupGaps + (await lists('gap')) };
    } catch (thrown) {
      common.log.debug({ err: toError(thrown) }, 'the tiers could not be looked at');
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await look();
      await common.clock.sleep(LOOK_EVERY_MS, stopping.signal).catch(() => 'closing');
    }
    await look();
    for (const inspection of inspections.values()) await inspection.close();
  }

  const running = run();
  return {
    snapshot: () => last,
    close: async () => {
      stopping.abort();
      await running;
    },
  };
}

function positionsOf({ coverage }: BackendStatus) {
  const through = BigInt(coverage.throughPosition);
  return { fromPosition: BigInt(coverage.afterPosition) + 1n, throughPosition: through };
}

/** Records that it lists up to its head, from statistics where those say it. */
async function coldRecords(cold: ColdStorage): Promise<number> {
  const { throughMs } = cold.coverage();
  if (throughMs < 0) return 0;
  const endMs = Math.min(throughMs, Number.MAX_SAFE_INTEGER);
  const [messages, results] = await Promise.all([cold.countMessages({ endMs }), cold.countCCVData({ endMs })]);
  return messages.count + results.count;
}

/** Sum of a metric over everything with these labels. */
async function sumOf({ metrics }: Common, name: string, labels: Readonly<Record<string, string>>): Promise<number> {
  const metric = await metrics.getSingleMetric(name)?.get();
  return (metric?.values ?? [])
    .filter((value) => Object.entries(labels).every(([label, wanted]) => value.labels[label] === wanted))
    .reduce((sum, { value }) => sum + value, 0);
}
