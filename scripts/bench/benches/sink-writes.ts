import type { VerifierResult } from '../../../src/model/records.js';
import type { Sink } from '../../../src/sink/sink.js';
import { type Cost, type CpuCost, measureCost, medianCost } from '../cost.js';
import { DEFAULT_CHECKPOINTS, type Lab, openLab, openTiers } from '../lab.js';
import { compareInTurn, perSecond, type Row } from '../measure.js';
import type { Bench } from '../report.js';
import { createResultMaker, PAYLOAD_BYTES } from '../workload/records.js';
import { createStagedCopy, encodeCopy } from '../workload/staged-copy.js';

const WHAT = 'Sink writes, memory + Postgres';
const CHECKPOINTED = 'the same, max_wal_size = 1GB';
/** Of the cost without checkpoints. */
const MOST_TIMES = 1.5;
const WRITERS = 8;
const WRITER_BATCH = 500;

/**
 * Durable writes of verifier results to a Sink of memory and Postgres, several writers at once, against a bare staged
 * COPY of the same records in commits of the size that the product's group commit came to. The ceiling's bytes are
 * encoded before the clock starts, the product's records are not.
 */
export const sinkWrites: Bench = async ({ quick }) => {
  const count = quick ? 12_000 : 40_000;
  const results = createResultMaker(1)(count);
  const lab = await openLab();
  try {
    const commitRecords = await groupSize(lab, results.slice(0, 20_000));
    const copy = createStagedCopy(lab.client);
    const encoded = inBatches(results, commitRecords).map(encodeCopy);
    const costs: CpuCost[] = [];
    const compared = await compareInTurn(quick ? 1 : 5, {
      product: () =>
        lab.inNamespace(async (namespace) => {
          const sink = await openTiers(lab, namespace);
          let rate = 0;
          const cost = await measureCost(WHAT, lab.serverPid, async () => {
            rate = await perSecond(count, () => writeAll(sink, results));
            return count;
          });
          costs.push(cost);
          await sink.close();
          return rate;
        }),
      async ceiling() {
        await copy.reset();
        return await perSecond(count, async () => {
          for (const batch of encoded) await copy.store(batch);
        });
      },
    });
    const row: Row = {
      what: WHAT,
      unit: 'records/s',
      ...compared,
      aim: { kind: 'atLeast', ratio: 0.6 },
      note:
        `${WRITERS} writers of batches of ${WRITER_BATCH}; commits of ${commitRecords} records of ${PAYLOAD_BYTES} ` +
        'bytes',
    };
    const cost = {
      what: WHAT,
      // the first round warmed up
      ...medianCost(costs.slice(1)),
      aim: { nodeUs: 24, postgresUs: 20 },
      note: `one record, ${row.note}`,
    };
    return { rows: [row], costs: [cost, await underCheckpoints(count, quick ? 1 : 6, cost)] };
  } finally {
    await lab.close();
  }
};

/**
 * The same into tables that grow on, with the checkpoints of a server as it is installed: several fall into the rounds.
 * The mean counts: a checkpoint is paid for by some rounds and not by others.
 */
async function underCheckpoints(count: number, rounds: number, bare: CpuCost): Promise<Cost> {
  const lab = await openLab(DEFAULT_CHECKPOINTS);
  const costs: CpuCost[] = [];
  try {
    await lab.inNamespace(async (namespace) => {
      const sink = await openTiers(lab, namespace);
      // the first round fills the tables
      for (let round = 0; round <= rounds; round += 1) {
        const results = createResultMaker(2 + round)(count);
        // the garbage of making them is not the product's
        globalThis.gc?.();
        const cost = await measureCost(CHECKPOINTED, lab.serverPid, async () => {
          await writeAll(sink, results);
          return count;
        });
        if (round > 0) costs.push(cost);
      }
      await sink.close();
    });
  } finally {
    await lab.close();
  }
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const within = (us: number | null) => (us ?? 0) * MOST_TIMES;
  return {
    what: CHECKPOINTED,
    nodeUs: mean(costs.map(({ nodeUs }) => nodeUs)),
    postgresUs: mean(costs.map(({ postgresUs }) => postgresUs ?? 0)),
    aim: { nodeUs: within(bare.nodeUs), postgresUs: within(bare.postgresUs) },
    note: `one record, mean of ${rounds * count} behind ${count}; aim: ${MOST_TIMES} times the row above`,
  };
}

/** Records a commit, once the queue is full. */
async function groupSize(lab: Lab, results: readonly VerifierResult[]): Promise<number> {
  return await lab.inNamespace(async (namespace) => {
    const sink = await openTiers(lab, namespace);
    const perCommit = new Map<number, number>();
    await writeAll(sink, results, (ingestionMs, records) => {
      perCommit.set(ingestionMs, (perCommit.get(ingestionMs) ?? 0) + records);
    });
    await sink.close();
    return Math.max(...perCommit.values());
  });
}

/** Writers that take the next batch as soon as their last one is durable. */
async function writeAll(
  sink: Sink,
  results: readonly VerifierResult[],
  onCommit?: (ingestionMs: number, records: number) => void,
): Promise<void> {
  const batches = inBatches(results, WRITER_BATCH);
  let next = 0;
  await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      while (next < batches.length) {
        const verifierResults = batches[next]!;
        next += 1;
        const { committed } = await sink.insertBatch({ verifierResults });
        if (committed === null) throw new Error('nothing was stored: the records are not new');
        onCommit?.(committed.ingestionMs, verifierResults.length);
      }
    }),
  );
}

function inBatches<T>(all: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  );
}
