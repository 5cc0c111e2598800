import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { PostgresConnection } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { createManualClock } from '../../support/manual-clock.js';
import { copyDatabase, createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createMemoryObjectStore, MemoryBucket } from '../process/memory-object-store.js';
import { openProcess } from '../process/tiers-process.js';
import { createScript, rest, runScript, type ScriptStep, scriptPlace } from './crash-script.js';
import { type EndState, endStateOf } from './end-state.js';
import { type Death, mortalClock, mortalStore, Reaper } from './reaper.js';
import { startStatementProxy } from './statement-proxy.js';

const START_MS = 1_763_000_000_000;
/** The next worker begins so much later. */
const LATER_MS = 3_600_000;

/** Where a worker runs: a database and a bucket. */
interface Ground {
  readonly name: string;
  readonly bucket: MemoryBucket;
  drop(): Promise<void>;
}

const script = createScript(7);
const steps: readonly ScriptStep[] = [...script.before, ...script.window];

let template: TestDatabase;
const prepared = new MemoryBucket();

function connectionOf(name: string): PostgresConnection {
  return { ...inject('postgres').socket, database: name };
}

interface Wish {
  readonly from: number;
  readonly to: number;
  readonly reaper?: Reaper;
  readonly restsAfter: boolean;
  readonly laterMs?: number;
}

/** A worker over a ground, from step `from` on; one that a reaper ends leaves with an error. */
async function work(ground: Ground, wish: Wish): Promise<EndState | null> {
  const reaper = wish.reaper ?? new Reaper(null);
  const clock = mortalClock(createManualClock(START_MS + wish.from * 1000 + (wish.laterMs ?? 0)), reaper);
  const proxy = wish.reaper ? await startStatementProxy(connectionOf(ground.name), reaper) : null;
  const bucket: ObjectStore = createMemoryObjectStore(ground.bucket, clock);
  const place = scriptPlace({
    ...{ clock, connection: proxy?.connection ?? connectionOf(ground.name) },
    openStore: () => mortalStore(bucket, reaper),
  });
  const worker = openProcess(place, 'follower');
  try {
    await place.underWay.drive(worker.sink.started());
    reaper.begin();
    await runScript({ steps: steps.slice(wish.from, wish.to), from: wish.from, worker, place, clock });
    reaper.end();
    if (!wish.restsAfter) return null;
    await rest(worker, place, clock);
    return await endStateOf({ sink: worker.sink, connection: connectionOf(ground.name), store: bucket });
  } finally {
    // a killed process closes nothing
    if (!reaper.isDead) await place.underWay.drive(worker.sink.close());
    await proxy?.close();
  }
}

/** A copy of what the first steps left. */
async function newGround(): Promise<Ground> {
  const { name, drop } = await copyDatabase(template);
  const bucket = new MemoryBucket();
  for (const [key, object] of prepared.objects) bucket.objects.set(key, object);
  return { name, bucket, drop };
}

const table: { readonly write: string; readonly when: string; readonly result: string }[] = [];

/** Dies at one write, and another worker goes on: what is left in the end. */
async function crash(death: Death): Promise<{ readonly write: string; readonly end: EndState | null }> {
  const ground = await newGround();
  try {
    const reaper = new Reaper(death);
    const first = work(ground, { from: script.before.length, to: steps.length, reaper, restsAfter: false });
    await expect(first, `death ${death.when} write ${death.index}`).rejects.toThrow();
    expect(reaper.isDead).toBe(true);
    const end = await work(ground, {
      from: script.before.length,
      to: steps.length,
      restsAfter: true,
      laterMs: LATER_MS,
    });
    return { write: reaper.writes[death.index] ?? '', end };
  } finally {
    await ground.drop();
  }
}

describe('a worker that ends at any write of flush, commit, prune, compaction and vacuum', () => {
  let writes: readonly string[];
  let undisturbed: EndState | null;

  beforeAll(async () => {
    template = await createTestDatabase();
    await work(
      { name: template.name, bucket: prepared, drop: async () => undefined },
      {
        ...{ from: 0, to: script.before.length, restsAfter: false },
      },
    );
    const ground = await newGround();
    const reaper = new Reaper(null);
    undisturbed = await work(ground, { from: script.before.length, to: steps.length, reaper, restsAfter: true });
    writes = [...reaper.writes];
    await ground.drop();
  });
  afterAll(async () => {
    await template.drop();
    const failed = table.filter(({ result }) => result !== 'same').length;
    const names = [...new Set(table.map(({ write }) => write))];
    console.log(
      [
        `${table.length} crash points, ${failed} with another end state`,
        ...names.map((name) => {
          const points = table.filter(({ write }) => write === name);
          const of = (when: string) => points.filter((point) => point.when === when);
          const same = points.filter(({ result }) => result === 'same').length;
          return `${name}: ${of('before').length} before, ${of('after').length} after, ${same} of ${points.length} as undisturbed`;
        }),
      ].join('\n'),
    );
  });

  test('is followed by one that leaves what an undisturbed one leaves', async () => {
    for (const kind of [
      'put messages/part',
      'put ledger/_delta_log',
      'raise_floor',
      'prune_results',
      'COMMIT',
      'delete',
    ])
      expect(
        writes.some((write) => write.startsWith(kind)),
        `${kind} in ${writes.join()}`,
      ).toBe(true);
    const points = writes.flatMap((write, index): Death[] =>
      // after a statement within a transaction is before the next one
      write.startsWith('put') || write.startsWith('delete') || write === 'COMMIT'
        ? [
            { index, when: 'before' },
            { index, when: 'after' },
          ]
        : [{ index, when: 'before' }],
    );
    const left = [...points];
    const runNext = async () => {
      for (let death = left.shift(); death; death = left.shift()) {
        const { write, end } = await crash(death);
        const differing = (['answers', 'rows', 'bucket', 'files'] as const).filter(
          (part) => end?.[part] !== undisturbed?.[part],
        );
        table.push({ write, when: death.when, result: differing.length === 0 ? 'same' : differing.join() });
        for (const part of differing)
          expect.soft(end?.[part], `${part}, ${death.when} ${write} (${death.index})`).toBe(undisturbed?.[part]);
      }
    };
    await Promise.all(Array.from({ length: 4 }, runNext));
    expect(table.filter(({ result }) => result !== 'same')).toEqual([]);
    expect(table.length).toBe(points.length);
  });
});
