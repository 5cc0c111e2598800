import fc from 'fast-check';
import { expect } from 'vitest';
import { ObjectStoreUnavailableError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import { EVICTION_INTERVAL_MS, PRUNE_INTERVAL_MS } from '../process/tiers-process.js';
import type { Outage } from './outage-store.js';
import { often, type Step, step } from './step.js';
import { FAILING_READS, type World } from './world.js';
import { give, newRecords } from './write-steps.js';

/** What moves records between tiers and changes no answer. */
export type Move = 'flush' | 'evict' | 'prune' | 'compact' | 'vacuum' | 'none';

export const moves: fc.Arbitrary<Move> = fc.constantFrom(
  'flush',
  'flush',
  'evict',
  'prune',
  'prune',
  'compact',
  'vacuum',
  'none',
);

/** Sets a move off. With a broken cold tier it may fail, and nothing comes of it. */
export async function makeMove(world: World, move: Move): Promise<void> {
  switch (move) {
    case 'flush':
      return await flush(world);
    case 'evict':
      return await world.clock.advance(EVICTION_INTERVAL_MS);
    case 'prune':
      return await prune(world, { stepIds: 3, stopAfter: Number.POSITIVE_INFINITY });
    case 'compact':
      return await compact(world, true);
    case 'vacuum':
      return await excused(world, world.writer.cold.maintenance.vacuum({ graceMs: VACUUM_GRACE_MS }));
    case 'none':
  }
}

/** Longer than another process goes without looking at the logs: it may read files of its view until then. */
const VACUUM_GRACE_MS = 600;

async function flush(world: World): Promise<void> {
  const { cold } = world.writer;
  const before = cold.coverage().throughPosition;
  await excused(world, cold.flush());
  const { throughPosition } = cold.coverage();
  expect(throughPosition >= before).toBe(true);
  if (throughPosition > before) world.tally.count('flushed');
}

async function compact(world: World, full: boolean): Promise<void> {
  const compacting = world.writer.cold.maintenance.compact({ full });
  await excused(world, compacting);
  const rewritten = await compacting.then(
    ({ tables }) => tables.reduce((sum, { filesRewritten }) => sum + filesRewritten, 0),
    () => 0,
  );
  if (rewritten > 0) world.tally.count('compacted');
}

async function prune(world: World, how: { readonly stepIds: number; readonly stopAfter: number }): Promise<void> {
  const { gate } = world.place;
  Object.assign(gate, how, { isOpen: true });
  // a round that was let through may be under way still
  await world.clock.advance(PRUNE_INTERVAL_MS);
  await world.place.busy.idle();
  gate.isOpen = false;
  const warm = world.writer.warm?.storage.coverage();
  const held = world.writer.cold.coverage().throughPosition;
  // one that could not be opened yet does not know what it holds
  if (warm && !world.outages.cold)
    expect(warm.afterPosition <= held, 'pruned no further than the cold tier holds').toBe(true);
  for (const { messages, verifierResults } of gate.outcomes.splice(0)) {
    if (messages + verifierResults === 0) continue;
    world.tally.count('pruned rounds');
    world.tally.count('pruned records', messages + verifierResults);
  }
}

async function excused(world: World, work: Promise<unknown>): Promise<void> {
  try {
    await world.drive(work);
  } catch (thrown) {
    if (!world.outages.cold && !world.isFaultArmed) throw thrown;
    expect((thrown as Error).name).toBe('StorageUnavailableError');
    world.tally.count('move failed');
  }
}

export const tierSteps: readonly fc.Arbitrary<Step>[] = [
  ...often(
    4,
    // all that there is has come to its end, and leaves for the cold tier
    step('age', fc.record({ but: fc.nat({ max: 12 }) }), async (world, { but }) => {
      const done = world.messages.filter((_, index) => index % 13 !== but);
      await world.write({ statuses: done.map(({ messageId }) => ({ messageId, status: 'success' as const })) });
      await world.settle();
      await flush(world);
      await makeMove(world, 'evict');
      await prune(world, { stepIds: 20, stopAfter: Number.POSITIVE_INFINITY });
      await world.calm();
    }),
  ),
  ...often(
    5,
    step('flush', fc.record({ waits: fc.boolean() }), async (world, { waits }) => {
      if (waits) await world.settle();
      await flush(world);
      await world.calm();
    }),
  ),
  step(
    'failed flush',
    fc.record({ nth: fc.integer({ min: 1, max: 9 }), when: fc.constantFrom('before' as const, 'after' as const) }),
    async (world, { nth, when }) => {
      if (world.isBroken) return;
      const { faults, outage } = world.writer;
      const isSole = world.shape === 'leader';
      const leave = () => {
        // nobody can find out what became of it
        if (isSole) outage.outage = 'all';
        throw new ObjectStoreUnavailableError('injected');
      };
      faults.failOn({ operation: 'put', nth, when, error: leave });
      world.isFaultArmed = true;
      // without a database every write is a flush
      if (isSole) await give(world, newRecords(world, { count: 1, lane: nth, results: 3, block: 1 }));
      else await flush(world);
      world.isFaultArmed = false;
      outage.outage = 'none';
      faults.heal();
      await world.calm();
    },
  ),
  ...often(
    3,
    step('evict', fc.constant(null), async (world) => {
      await makeMove(world, 'evict');
      await world.calm();
    }),
  ),
  ...often(
    5,
    step(
      'prune',
      fc.record({ stepIds: fc.integer({ min: 1, max: 8 }), stopAfter: fc.constantFrom(0, 1, 2, 1e9, 1e9, 1e9) }),
      async (world, how) => {
        await prune(world, how);
        await world.calm();
      },
    ),
  ),
  ...often(
    2,
    step('compact', fc.record({ full: fc.boolean() }), async (world, { full }) => {
      await compact(world, full);
      await world.calm();
    }),
  ),
  step('vacuum', fc.record({ graceMs: fc.constantFrom(0, VACUUM_GRACE_MS) }), async (world, { graceMs }) => {
    await excused(world, world.writer.cold.maintenance.vacuum({ graceMs }));
    await world.calm();
  }),
  step('pass time', fc.record({ ms: fc.constantFrom(1, 7, 60, 300, 1300) }), async (world, { ms }) => {
    await world.clock.advance(ms);
    await world.calm();
  }),
  step('restart', fc.constant(null), async (world) => {
    await world.restartWriter('close');
  }),
  ...often(
    2,
    step('kill', fc.constant(null), async (world) => {
      await world.restartWriter('kill');
    }),
  ),
  ...often(
    2,
    step(
      'kill in flush',
      fc.record({ nth: fc.integer({ min: 1, max: 9 }), when: fc.constantFrom('before' as const, 'after' as const) }),
      async (world, { nth, when }) => {
        if (world.isBroken) return;
        const { faults, kill } = world.writer;
        const die = () => {
          kill();
          throw new Error('killed');
        };
        faults.failOn({ operation: 'put', nth, when, error: die });
        world.isFaultArmed = true;
        await world.drive(world.writer.cold.flush().catch(() => undefined));
        await world.restartWriter('kill');
        world.isFaultArmed = false;
      },
    ),
  ),
  step('restart reader', fc.constant(null), async (world) => {
    await world.restartReader();
  }),
];

export const outageSteps: readonly fc.Arbitrary<Step>[] = [
  step('break cold', fc.record({ how: fc.constantFrom<Outage>('reads', 'all', 'silent') }), async (world, { how }) => {
    world.outages.cold = true;
    for (const { outage } of world.processes) outage.outage = how;
  }),
  step('break warm', fc.record({ what: fc.constantFrom('reads', 'changes', 'both') }), async (world, { what }) => {
    if (world.shape === 'leader') return;
    world.outages.warm = true;
    for (const { warm } of world.processes) {
      if (what !== 'changes') warm?.fail(FAILING_READS);
      // followers stand still while others go on
      if (what !== 'reads') warm?.fail(['changesAfter']);
    }
  }),
  ...often(
    3,
    step('heal', fc.constant(null), async (world) => {
      await world.heal();
      await world.calm();
    }),
  ),
];
