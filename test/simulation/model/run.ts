import fc from 'fast-check';
import { createCommon } from '../../../src/core/common.js';
import { Registry } from '../../../src/core/metrics.js';
import { seededRandom } from '../../../src/core/random.js';
import { createDirectoryObjectStore } from '../../../src/storage/cold/object-store/directory/directory-store.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { createManualClock, type ManualClock } from '../../support/manual-clock.js';
import { createEmptiedDatabase, type EmptiedDatabase } from '../../support/postgres/emptied-database.js';
import { createTestDirectoryStore } from '../../support/s3/object-store.js';
import { Busy } from '../process/busy.js';
import { createMemoryObjectStore, MemoryBucket } from '../process/memory-object-store.js';
import { ORDERS, type ProcessSettings } from '../process/tiers-process.js';
import { UnderWay } from '../process/under-way.js';
import {
  ask,
  CHAIN_SOURCE,
  countQuestion,
  followQuestion,
  ledgerQuestion,
  messageQuestion,
  pageQuestion,
  resultsQuestion,
} from './ask.js';
import { questionSteps } from './question-steps.js';
import type { Step } from './step.js';
import type { Tally } from './tally.js';
import { makeMove, outageSteps, tierSteps } from './tier-steps.js';
import { type Shape, World } from './world.js';
import { writeSteps } from './write-steps.js';

/** Opens buckets for runs: `open` gives one more process's view of the run's bucket. */
export interface BucketMaker {
  make(clock: ManualClock): Promise<{ open(): ObjectStore; remove(): Promise<void> }>;
}

const memoryBuckets: BucketMaker = {
  async make(clock) {
    const bucket = new MemoryBucket();
    return { open: () => createMemoryObjectStore(bucket, clock), remove: async () => undefined };
  },
};

/** Buckets as the quickstart has them, in a directory. */
export const directoryBuckets: BucketMaker = {
  async make() {
    const { directory, store, remove } = await createTestDirectoryStore();
    await store.close();
    return { open: () => createDirectoryObjectStore({ directory, common: createCommon() }), remove };
  },
};

/** What a set of runs is made of. */
export interface RunPlan {
  readonly name: string;
  readonly shape: Shape;
  readonly runs: number;
  /** Most commands of one run. */
  readonly commands: number;
  /** Runs at a time, each over a database of its own. */
  readonly lanes: number;
  readonly buckets?: BucketMaker;
}

/**
 * What of a failure is printed, and replays it: `MODEL_SEED=<seed> MODEL_PATH=<path> MODEL_PLAN=<plan>`. `MODEL_RUNS` is the
 * number of runs of each plan instead of its own.
 */
const { MODEL_SEED, MODEL_PATH, MODEL_PLAN, MODEL_RUNS, MODEL_SHRINK } = process.env;

/** Where the random choices of all plans begin. */
export const SEED = Number(MODEL_SEED ?? 20_251_120);

interface Wish extends ProcessSettings {
  readonly seed: number;
  readonly isRushed: boolean;
  readonly startMs: number;
}

/** Files of the cold tier are partitioned by day. */
const MIDNIGHT_MS = Date.UTC(2025, 10, 14);

const wishes: fc.Arbitrary<Wish> = fc.record({
  order: fc.constantFrom(...ORDERS),
  hotSize: fc.constantFrom(2, 5, 12, 30),
  pageSize: fc.constantFrom(3, 7, 1000),
  refreshIntervalMs: fc.constantFrom(0, 0, 500),
  retentionMs: fc.constantFrom(1, 1, 40),
  seed: fc.nat(),
  isRushed: fc.boolean(),
  startMs: fc.constantFrom(1_763_000_000_000, MIDNIGHT_MS - 30, MIDNIGHT_MS - 400),
});

function commandsOf(most: number): fc.Arbitrary<Iterable<Step>> {
  return fc.commands([...writeSteps, ...tierSteps, ...questionSteps, ...outageSteps], {
    maxCommands: most,
    size: 'max',
  });
}

/** Runs of random commands, each answer compared; in several lanes at a time. The first failure is shrunk and thrown. */
export async function simulate(plan: RunPlan, tally: Tally): Promise<void> {
  if (MODEL_PLAN !== undefined && MODEL_PLAN !== plan.name) return;
  const lanes = MODEL_PATH === undefined ? plan.lanes : 1;
  const runs = Math.ceil(Number(MODEL_RUNS ?? plan.runs) / lanes);
  const outcomes = await Promise.allSettled(
    Array.from({ length: lanes }, async (_, lane) => await simulateLane(plan, runs, SEED + lane * 7919, tally)),
  );
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') throw new Error(`plan ${plan.name}`, { cause: outcome.reason });
}

async function simulateLane(plan: RunPlan, numRuns: number, seed: number, tally: Tally): Promise<void> {
  const database = await createEmptiedDatabase();
  try {
    const property = fc.asyncProperty(wishes, commandsOf(plan.commands), async (wish, commands) => {
      tally.runs += 1;
      await runOnce(plan, database, wish, commands, tally);
    });
    const replay = MODEL_PATH === undefined ? {} : { path: MODEL_PATH };
    await fc.assert(property, { seed, numRuns, ...replay, endOnFailure: MODEL_SHRINK === '0' });
  } finally {
    await database.drop();
  }
}

async function runOnce(
  plan: RunPlan,
  database: EmptiedDatabase,
  wish: Wish,
  commands: Iterable<Step>,
  tally: Tally,
): Promise<void> {
  const clock = createManualClock(wish.startMs);
  const common = createCommon({ clock, random: seededRandom(wish.seed), metrics: new Registry() });
  const bucket = await (plan.buckets ?? memoryBuckets).make(clock);
  if (plan.shape !== 'leader') await database.empty();
  const world = await World.open({
    ...{ shape: plan.shape, clock, tally, seed: wish.seed, isRushed: wish.isRushed },
    place: {
      ...{ common, connection: database.connection, openStore: bucket.open, settings: wish },
      ...{ busy: new Busy(), underWay: new UnderWay(clock, database.connection.database) },
      gate: { isOpen: false, stepIds: 3, stopAfter: Number.POSITIVE_INFINITY, outcomes: [] },
    },
  });
  try {
    // whoever watches a chain has a cursor before it has messages
    await world.write({ cursors: [{ sourceId: CHAIN_SOURCE, height: 5n, hash: null, expectedHeight: null }] });
    await fc.asyncModelRun(() => ({ model: {}, real: world }), commands as Iterable<Step>);
    await finish(world);
    await database.check();
    await tally.addShapes(common.metrics);
  } finally {
    await world.close();
    await bucket.remove();
  }
}

/** At the end everything is asked once more, by every process. */
async function finish(world: World): Promise<void> {
  await world.heal();
  await makeMove(world, 'evict');
  // with all that it has heard of: it may have been flushed between two pages of changes
  await makeMove(world, 'flush');
  for (const who of world.reader ? (['writer', 'reader'] as const) : (['writer'] as const)) {
    if (who === 'reader') await world.hear();
    for (const list of ['messages', 'results'] as const) {
      await ask(world, who, pageQuestion(list, { limit: 10_000 }));
      await ask(world, who, countQuestion(list, {}));
    }
    for (const messageId of world.state.bodies.keys()) {
      await ask(world, who, messageQuestion(messageId));
      await ask(world, who, resultsQuestion(messageId));
    }
    await ask(world, who, followQuestion(0n, 1000));
    await ask(world, who, ledgerQuestion(world, 1, 7));
  }
}
