import { createApiServer } from '../../../src/api/server/api-server.js';
import { createCommon } from '../../../src/core/common.js';
import type { ColdStorage } from '../../../src/storage/cold/cold-storage.js';
import type { PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { SELECTORS } from '../../../test/support/records.js';
import { type CountingObjectStore, createCountingObjectStore } from '../../../test/support/s3/request-counting.js';
import { type Lab, openLab, openPostgres } from '../lab.js';
import { median } from '../measure.js';
import type { Bench, BenchOptions } from '../report.js';
import { openArchive, openReader } from '../workload/cold-namespace.js';
import { type AskedAddresses, fillMessages } from '../workload/message-stream.js';
import { deleteAll, inObjectPlaces } from './object-places.js';

/** How a tier answers `/v2/messages` with one filter. */
export interface FilterCost {
  readonly filter: string;
  readonly tier: string;
  readonly messages: number;
  /** Messages of the answer. */
  readonly found: number;
  readonly firstMs: number;
  readonly medianMs: number;
  readonly worstMs: number;
  /** The indexes of Postgres, or the requests to the object store, for one answer. */
  readonly plan: string;
}

interface Question {
  readonly filter: string;
  readonly query: string;
}

const ASKED = 20;
const FLUSH_MESSAGES = 20_000;
const NAMESPACE = 'filters';
/** The default of the cold tier. */
const REFRESH_MS = 1_000;
/** A session of Postgres reports its use of indexes with the first statement after a second. */
const STATISTICS_MS = 1_100;

/** `/v2/messages` over HTTP by each filter: from Postgres alone, and from the cold tier alone in each object store. */
export const filters: Bench = async (options) => {
  const messages = Math.max(...options.sizes);
  const warm = await warmFilters(messages);
  const { found, remarks } = await inObjectPlaces(async ({ name, store }) => {
    const counting = createCountingObjectStore(store);
    try {
      return await coldFilters(counting, name, messages, options);
    } finally {
      await deleteAll(store, `${NAMESPACE}/`);
    }
  });
  return { filters: [...warm, ...found.flat()], remarks };
};

async function warmFilters(messages: number): Promise<readonly FilterCost[]> {
  const lab = await openLab();
  try {
    return await lab.inNamespace(async (namespace) => {
      const storage = openPostgres(lab, namespace);
      try {
        const asked = await fillMessages({ what: 'warm', messages, apply: (set) => storage.apply(set) });
        await lab.client.query('VACUUM (ANALYZE)');
        return await askAll('warm', messages, storage, questions(asked, messages), {
          before: () => indexUse(lab, namespace),
          async after(before, askAgain) {
            await new Promise((resolve) => setTimeout(resolve, STATISTICS_MS));
            await askAgain();
            return planOf(before, await indexUse(lab, namespace));
          },
        });
      } finally {
        await storage.close();
      }
    });
  } finally {
    await lab.close();
  }
}

async function coldFilters(
  store: CountingObjectStore,
  place: string,
  messages: number,
  { quick }: BenchOptions,
): Promise<readonly FilterCost[]> {
  const archive = openArchive(store, NAMESPACE);
  let waiting = 0;
  const asked = await fillMessages({
    what: `cold, ${place}`,
    messages,
    async apply(set) {
      await archive.apply(set);
      waiting += set.changes.length;
      if (waiting < (quick ? messages / 4 : FLUSH_MESSAGES)) return;
      await archive.flush();
      waiting = 0;
    },
  });
  await archive.flush();
  await archive.close();
  const reader = openReader(store, NAMESPACE, REFRESH_MS);
  try {
    return await askAll(`cold, ${place}`, messages, reader, questions(asked, messages), {
      async before() {
        store.reset();
      },
      async after() {
        const { requests, bytes } = store.total();
        return `${(requests / ASKED).toFixed(1)} requests, ${Math.round(bytes / ASKED / 1024)} KiB`;
      },
    });
  } finally {
    await reader.close();
  }
}

function questions({ sender, receiver, token }: AskedAddresses, messages: number): readonly Question[] {
  const middle = Math.floor(messages / 8);
  const lane = `source=${SELECTORS.low}&dest=${SELECTORS.mid}`;
  const end = Date.now() - 3_600_000;
  return [
    { filter: 'none, newest', query: '' },
    { filter: 'none, oldest', query: 'order=oldest' },
    { filter: 'sender of a tenth', query: `sender=${sender.popular}` },
    { filter: 'sender of ten', query: `sender=${sender.rare}` },
    { filter: 'sender of ten, oldest', query: `sender=${sender.rare}&order=oldest` },
    { filter: 'sender of none', query: `sender=0x${'ab'.repeat(32)}` },
    { filter: 'receiver of a tenth', query: `receiver=${receiver.popular}` },
    { filter: 'receiver of ten', query: `receiver=${receiver.rare}` },
    { filter: 'token of a twentieth', query: `token=${token.popular}` },
    { filter: 'token of ten', query: `token=${token.rare}` },
    { filter: 'lane', query: lane },
    { filter: 'lane, 50 numbers', query: `${lane}&fromNumber=${middle}&throughNumber=${middle + 49}` },
    { filter: 'sender of a tenth, lane', query: `sender=${sender.popular}&${lane}` },
    { filter: 'status of ten', query: 'status=processing' },
    { filter: 'a minute', query: `start=${end - 60_000}&end=${end}` },
  ];
}

/** Asks each question twenty times, one after the other; the first answer finds the caches as the others left them. */
async function askAll<Before>(
  tier: string,
  messages: number,
  storage: PostgresStorage | ColdStorage,
  asked: readonly Question[],
  plan: {
    readonly before: () => Promise<Before>;
    readonly after: (before: Before, askAgain: () => Promise<unknown>) => Promise<string>;
  },
): Promise<readonly FilterCost[]> {
  const common = createCommon();
  const server = createApiServer({ storage, common, settings: { host: '127.0.0.1', port: 0 } });
  await server.listen();
  const costs: FilterCost[] = [];
  try {
    for (const { filter, query } of asked) {
      const before = await plan.before();
      const took: number[] = [];
      let found = 0;
      const ask = async () => {
        const answer = await fetch(`http://127.0.0.1:${server.address()?.port}/v2/messages?${query}`);
        if (answer.status !== 200) throw new Error(`${answer.status} for ${query}: ${await answer.text()}`);
        found = ((await answer.json()) as { messages: unknown[] }).messages.length;
      };
      for (let turn = 0; turn < ASKED; turn += 1) {
        const startMs = performance.now();
        await ask();
        took.push(performance.now() - startMs);
      }
      const later = took.slice(1);
      const figures = { firstMs: took[0]!, medianMs: median(later), worstMs: Math.max(...later) };
      costs.push({ filter, tier, messages, found, ...figures, plan: await plan.after(before, ask) });
    }
  } finally {
    await server.close();
  }
  return costs;
}

interface IndexUse {
  readonly name: string;
  readonly scans: number;
  readonly rows: number;
}

/** How often each index was scanned until now, and each table from its start, with the rows that this read. */
async function indexUse({ client }: Lab, namespace: string): Promise<readonly IndexUse[]> {
  const { rows } = await client.query<{ name: string; scans: string; rows: string }>(
    `SELECT indexrelname AS name, idx_scan AS scans, idx_tup_read AS rows
       FROM pg_stat_user_indexes WHERE schemaname = $1
     UNION ALL
     SELECT 'all of ' || relname, seq_scan, seq_tup_read
       FROM pg_stat_user_tables WHERE schemaname = $1 AND n_live_tup > 1000`,
    [namespace],
  );
  return rows.map(({ name, scans, rows: read }) => ({ name, scans: Number(scans), rows: Number(read) }));
}

function planOf(before: readonly IndexUse[], after: readonly IndexUse[]): string {
  return after
    .flatMap(({ name, scans, rows }) => {
      const earlier = before.find((each) => each.name === name);
      const more = { scans: scans - (earlier?.scans ?? 0), rows: rows - (earlier?.rows ?? 0) };
      return Math.round(more.rows / (ASKED + 1)) > 0 ? [{ name, ...more }] : [];
    })
    .sort((a, b) => b.rows - a.rows)
    .map(({ name, scans, rows }) => `${name} (${Math.round(scans / (ASKED + 1))}: ${Math.round(rows / (ASKED + 1))})`)
    .join(', ');
}
