import type { PostgresConnection } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import { createCommon } from '../../../src/core/common.js';
import { seededRandom } from '../../../src/core/random.js';
import type { WriteBatch } from '../../../src/model/batch.js';
import type { NewMessage, VerifierResult } from '../../../src/model/records.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { eventually } from '../../support/eventually.js';
import type { ManualClock } from '../../support/manual-clock.js';
import { createRecordMaker } from '../../support/records.js';
import { LANES } from '../model/write-steps.js';
import { Busy } from '../process/busy.js';
import { PRUNE_INTERVAL_MS, type ProcessPlace, type TiersProcess } from '../process/tiers-process.js';
import { UnderWay } from '../process/under-way.js';

/** What a worker does, one after the other. A write moves the script's cursor along, so that another worker goes on there. */
export type ScriptStep =
  | { readonly kind: 'write'; readonly batch: WriteBatch }
  | { readonly kind: 'flush' | 'prune' | 'compact' | 'vacuum' };

const SOURCE = 'script';
const STEP_MS = PRUNE_INTERVAL_MS;

/** A place for workers of the script. */
export function scriptPlace(parts: {
  readonly clock: ManualClock;
  readonly connection: PostgresConnection;
  readonly openStore: () => ObjectStore;
}): ProcessPlace {
  const { clock, connection, openStore } = parts;
  return {
    common: createCommon({ clock, random: seededRandom(clock.nowMs()) }),
    ...{ connection, openStore, busy: new Busy(), underWay: new UnderWay(clock, connection.database) },
    gate: { isOpen: false, stepIds: 2, stopAfter: Number.POSITIVE_INFINITY, outcomes: [] },
    settings: { order: 'hot warm cold', hotSize: 5, pageSize: 1000, refreshIntervalMs: 0, retentionMs: 1 },
  };
}

/** Made the same way each time. `before`: until the first records are pruned; `window`: what a worker may not survive. */
export function createScript(seed: number): { readonly before: ScriptStep[]; readonly window: ScriptStep[] } {
  const make = createRecordMaker(seed);
  const ccvs = [make.hex(20), make.hex(20)];
  const messages: NewMessage[] = [];
  const results: VerifierResult[] = [];
  const write = (batch: WriteBatch): ScriptStep => ({ kind: 'write', batch });
  const insert = (count: number): ScriptStep => {
    const made = Array.from({ length: count }, (_, i) => make.message({ ...LANES[i % 3], ccvs, dataBytes: 4 }));
    const given = made.map((message) => make.result(message, 0, { dest: '0x02', ccvDataBytes: 12 }));
    messages.push(...made);
    results.push(...given);
    return write({ messages: made, verifierResults: given });
  };
  const message = (index: number) => messages[index] as NewMessage;
  const orphaning = (index: number) => ({
    messageId: message(index).messageId,
    blockHash: message(index).origin?.blockHash ?? '0x',
  });
  const returning = (index: number) => ({ ...message(index), origin: make.origin(50n) });
  const success = (from: number, to: number) =>
    messages.slice(from, to).map(({ messageId }) => ({ messageId, status: 'success' as const }));

  const before = [
    ...[insert(3), insert(3), insert(2), write({ statuses: success(0, 6) }), write({ orphanings: [orphaning(6)] })],
    ...([{ kind: 'flush' }, insert(2), { kind: 'prune' }] as ScriptStep[]),
  ];
  const window: ScriptStep[] = [
    insert(2),
    // of pruned records: a late result, a reorg, a return with a new time, a conflict, a duplicate
    write({ verifierResults: [make.result(message(0), 1, { dest: '0x02', ccvDataBytes: 12 })] }),
    write({ orphanings: [orphaning(1)], statuses: success(7, 9) }),
    write({ orphanings: [orphaning(2)], messages: [returning(2)], verifierResults: [results[0] as VerifierResult] }),
    write({ messages: [returning(6)] }),
    write({ verifierResults: [{ ...(results[3] as VerifierResult), ccvData: make.bytes(9) }] }),
    { kind: 'flush' },
    { kind: 'prune' },
    insert(2),
    write({ messages: [returning(1)], statuses: success(9, 11) }),
    { kind: 'flush' },
    { kind: 'compact' },
    { kind: 'prune' },
    { kind: 'vacuum' },
  ];
  return { before, window };
}

/** Does those of `steps` that are not done yet. `clock` stands where the first of them began; each takes some time of it. */
export async function runScript(parts: {
  readonly steps: readonly ScriptStep[];
  /** Number of the first step in the whole script. */
  readonly from: number;
  readonly worker: TiersProcess;
  readonly place: ProcessPlace;
  readonly clock: ManualClock;
  readonly onStep?: (number: number, kind: ScriptStep['kind']) => void;
}): Promise<void> {
  const { steps, from, worker, place, clock, onStep } = parts;
  const wait = async <T>(work: Promise<T>) => await place.underWay.drive(work);
  const cursor = await wait(worker.sink.getCursor(SOURCE));
  const doneThrough = cursor === null ? -1 : Number(cursor.height);
  for (const [index, step] of steps.entries()) {
    const number = from + index;
    await clock.advance(STEP_MS);
    if (number <= doneThrough) continue;
    onStep?.(number, step.kind);
    if (step.kind === 'write') {
      const height = BigInt(number);
      const expectedHeight = (await wait(worker.sink.getCursor(SOURCE)))?.height ?? null;
      await wait(
        worker.sink.insertBatch({
          ...step.batch,
          cursors: [{ sourceId: SOURCE, height, hash: null, expectedHeight }],
        }),
      );
    } else await tend(step.kind, worker, place, clock, wait);
  }
}

/** Brings everything to rest: all flushed, compacted, pruned, and nothing left that nobody needs. */
export async function rest(worker: TiersProcess, place: ProcessPlace, clock: ManualClock): Promise<void> {
  const wait = async <T>(work: Promise<T>) => await place.underWay.drive(work);
  for (const kind of ['flush', 'compact', 'prune', 'vacuum'] as const) await tend(kind, worker, place, clock, wait);
}

/** The loop of pruning may be in the middle of a round that found the gate shut. */
const MOST_TICKS = 20;

async function tend(
  kind: 'flush' | 'prune' | 'compact' | 'vacuum',
  { sink, cold, warm }: TiersProcess,
  { gate, busy }: ProcessPlace,
  clock: ManualClock,
  wait: <T>(work: Promise<T>) => Promise<T>,
): Promise<void> {
  switch (kind) {
    case 'flush': {
      const head = sink.coverage().throughPosition;
      await wait(eventually('the cold tier has heard of everything', () => cold.appliedPosition() >= head));
      return await wait(cold.flush());
    }
    case 'prune': {
      // a round under way would miss the time that passes here
      await wait(busy.idle());
      const rounds = gate.outcomes.length;
      gate.isOpen = true;
      gate.stepIds = 2;
      // the gate shuts behind the round that it lets through; the loop only counts one that failed
      for (let ticks = 0; gate.isOpen && ticks < MOST_TICKS; ticks += 1) {
        await clock.advance(PRUNE_INTERVAL_MS);
        await wait(busy.idle());
      }
      gate.isOpen = false;
      if (warm && gate.outcomes.length === rounds) throw new Error('pruning failed');
      return;
    }
    case 'compact':
      await wait(cold.maintenance.compact({ full: true }));
      return;
    case 'vacuum':
      await wait(cold.maintenance.vacuum({ graceMs: 0 }));
  }
}
