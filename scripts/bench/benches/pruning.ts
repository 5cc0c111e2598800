import { createCommon } from '../../../src/core/common.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { type Lab, openLab } from '../lab.js';
import { median, type Row } from '../measure.js';
import type { Bench } from '../report.js';
import { createResultMaker } from '../workload/records.js';

/** A writer that leaves the database time for other work, as ingestion does: delays by pruning then show. */
const BATCH = 50;
const BATCHES_A_SECOND = 20;
/** Records past their retention when the measurement begins. */
const BACKLOG_BATCHES = 400;
const KEPT_MS = 2_000;

interface Phase {
  /** Of each batch, from its call to its acknowledgement, ascending. */
  readonly latenciesMs: readonly number[];
  readonly pruned: number;
  /** Tables of records with their indexes. */
  readonly recordBytes: number;
  readonly traceBytes: number;
  readonly records: number;
}

/**
 * The cost of pruning: the time of a paced writer's commits while everything older than two seconds is pruned beside
 * it, a backlog of 20 000 records first, against the same writer without pruning; and the room that the tables then
 * take.
 */
export const pruning: Bench = async ({ quick }) => {
  const seconds = quick ? 6 : 30;
  const lab = await openLab();
  try {
    const without = await run(lab, seconds, false);
    const beside = await run(lab, seconds, true);
    if (beside.pruned === 0) throw new Error('nothing was pruned');
    const note =
      `${BATCH} records a commit, ${BATCHES_A_SECOND} a second, ${beside.pruned} records pruned in ${seconds} s; ` +
      `worst ${ms(worst(beside))}, without ${ms(worst(without))}`;
    return {
      rows: [
        latencyRow('commit while pruning, p50', beside, without, 0.5, note),
        latencyRow('commit while pruning, p99', beside, without, 0.99, note),
        {
          what: 'tables of records after pruning',
          unit: 'MB',
          ...against(beside.recordBytes / 1e6, without.recordBytes / 1e6),
          aim: null,
          note:
            `files that held all ${without.records} records or less at a time, ${beside.records} in the end: what is ` +
            'freed is written to again',
        },
        {
          what: 'trace of a pruned record',
          unit: 'bytes',
          ...against(beside.traceBytes / beside.pruned, without.recordBytes / without.records),
          aim: null,
          note: 'tables pruned_ids and pruned_results with their indexes, against the room of a record',
        },
      ],
    };
  } finally {
    await lab.close();
  }
};

async function run(lab: Lab, seconds: number, prunes: boolean): Promise<Phase> {
  return await lab.inNamespace(async (namespace) => {
    const common = createCommon();
    // results of messages without a task: nothing is ever recalled
    const recall = async () => Promise.reject(new Error('nothing is recalled here'));
    const storage = createPostgresStorage({ name: 'warm', connection: lab.connection, namespace, common, recall });
    const make = createResultMaker(7);
    for (let batch = 0; batch < BACKLOG_BATCHES; batch += 1)
      await storage.insertBatch({ verifierResults: make(BATCH) });
    const ended = new AbortController();
    const pruning = prunes ? pruneAll(storage, ended.signal) : null;
    const latenciesMs = await writePaced(storage, make, seconds);
    ended.abort();
    await pruning;
    const [sizes] = (
      await lab.client.query<{ records: string; traces: string; pruned: string; rows: string }>(
        `SELECT ${sizeOf(namespace, ['verifier_results', 'message_bodies', 'messages', 'commits'])} AS records,
           ${sizeOf(namespace, ['pruned_ids', 'pruned_results'])} AS traces,
           (SELECT count(*) FROM ${namespace}.pruned_results) AS pruned,
           (SELECT count(*) FROM ${namespace}.verifier_results) AS rows`,
      )
    ).rows;
    await storage.close();
    return {
      latenciesMs: [...latenciesMs].sort((a, b) => a - b),
      pruned: Number(sizes!.pruned),
      recordBytes: Number(sizes!.records),
      traceBytes: Number(sizes!.traces),
      records: Number(sizes!.rows),
    };
  });
}

/** Everything that is old enough, again and again, as the Sink's pruner does but without its minute of rest. */
async function pruneAll(storage: PostgresStorage, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const upTo = { position: storage.coverage().throughPosition, ingestionMs: Date.now() - KEPT_MS };
    try {
      await storage.prune(upTo, { signal });
    } catch (thrown) {
      if (!signal.aborted) throw thrown;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function writePaced(
  storage: PostgresStorage,
  make: ReturnType<typeof createResultMaker>,
  seconds: number,
): Promise<readonly number[]> {
  const batches = Array.from({ length: seconds * BATCHES_A_SECOND }, () => make(BATCH));
  const startedMs = performance.now();
  return await Promise.all(
    batches.map(async (verifierResults, index) => {
      const dueMs = startedMs + (index * 1_000) / BATCHES_A_SECOND;
      await new Promise((resolve) => setTimeout(resolve, dueMs - performance.now()));
      const calledMs = performance.now();
      await storage.insertBatch({ verifierResults });
      return performance.now() - calledMs;
    }),
  );
}

function latencyRow(what: string, beside: Phase, without: Phase, share: number, note: string): Row {
  const at = ({ latenciesMs }: Phase) =>
    share === 0.5 ? median(latenciesMs) : (latenciesMs[Math.floor(latenciesMs.length * share)] ?? Number.NaN);
  return { what, unit: 'ms', ...against(at(beside), at(without)), aim: null, note };
}

function against(product: number, ceiling: number) {
  const ratio = product / ceiling;
  return { product, ceiling, ratio, spread: [ratio, ratio] as const };
}

function worst({ latenciesMs }: Phase): number {
  return latenciesMs.at(-1) ?? Number.NaN;
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

function sizeOf(namespace: string, tables: readonly string[]): string {
  return tables.map((table) => `pg_total_relation_size('${namespace}.${table}')`).join(' + ');
}
