import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/core/random.js';
import { createManualClock } from '../../support/manual-clock.js';
import { ROOT } from '../../support/pages.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';
import { SELDOM_OPTIMIZED } from '../../support/seldom-optimized.js';
import { openProcess } from '../process/tiers-process.js';
import { createScript, rest, runScript, scriptPlace } from './crash-script.js';
import { type EndState, endStateOf } from './end-state.js';
import type { MortalWork } from './mortal-worker.js';

const WORKER = [join(ROOT, 'scripts/bundled/run.mjs'), 'test/simulation/crash/mortal-worker.ts'];
const SEED = 9;
const DAY_MS = 24 * 3_600_000;
/**
 * Files have the machine's time, and a vacuum compares it. The next day where this one ends within the run: files are
 * kept by day, so that midnight would make more of them.
 */
const START_MS = Math.max(Date.now(), Math.floor((Date.now() + 4 * 3_600_000) / DAY_MS) * DAY_MS);
const LATER_MS = 3_600_000;
const KILLS = 6;

interface Ground {
  readonly database: TestDatabase;
  readonly directory: TestDirectoryStore;
}

const grounds: Ground[] = [];

async function newGround(): Promise<Ground> {
  const ground = { database: await createTestDatabase(), directory: await createTestDirectoryStore() };
  grounds.push(ground);
  return ground;
}

/** Starts a worker and kills it when it has said so many lines, or lets it come to its end. Returns what it said. */
async function workAndDie({ database, directory }: Ground, lines: number, startMs: number): Promise<string[]> {
  const work: MortalWork = { connection: database.connection, directory: directory.directory, seed: SEED, startMs };
  const command = [...SELDOM_OPTIMIZED, ...WORKER, JSON.stringify(work)];
  const child = spawn(process.execPath, command, {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  const ended = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    if (said.length === lines) child.kill('SIGKILL');
  }
  const [code, signal] = await ended;
  if (said.at(-1) !== 'done') expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' });
  return said;
}

/** A worker in this process goes on to the end of the script, and brings everything to rest. */
async function finish({ database, directory }: Ground, startMs: number): Promise<EndState> {
  const clock = createManualClock(startMs);
  const place = scriptPlace({ clock, connection: database.connection, openStore: () => directory.store });
  const worker = openProcess(place, 'follower');
  try {
    const { before, window } = createScript(SEED);
    await place.underWay.drive(worker.sink.started());
    await runScript({ steps: [...before, ...window], from: 0, worker, place, clock });
    await rest(worker, place, clock);
    return await endStateOf({ sink: worker.sink, connection: database.connection, store: directory.store });
  } finally {
    await place.underWay.drive(worker.sink.close());
  }
}

describe('a worker process that is killed', () => {
  let undisturbed: EndState;
  let total: number;
  const where: string[] = [];

  beforeAll(async () => {
    const ground = await newGround();
    total = (await workAndDie(ground, Number.POSITIVE_INFINITY, START_MS)).length;
    undisturbed = await finish(ground, START_MS + LATER_MS);
  });
  afterAll(async () => {
    for (const { database, directory } of grounds) {
      await database.drop();
      await directory.remove();
    }
    console.log(`killed after: ${where.join(', ')}`);
  });

  test('anywhere, and again, is followed by one that leaves what an undisturbed one leaves', async () => {
    const random = seededRandom(SEED);
    for (let kill = 0; kill < KILLS; kill += 1) {
      const ground = await newGround();
      // the first dies somewhere, the next one soon after it has gone on
      const first = await workAndDie(ground, 1 + Math.floor(random() * (total - 2)), START_MS);
      const second = await workAndDie(ground, 1 + Math.floor(random() * 12), START_MS + LATER_MS);
      where.push(...[first, second].map((said) => said.at(-1) ?? 'nothing'));
      const end = await finish(ground, START_MS + 2 * LATER_MS);
      for (const part of ['answers', 'rows', 'bucket', 'files'] as const)
        expect(end[part], `${part} after ${first.at(-1)}, ${second.at(-1)}`).toBe(undisturbed[part]);
    }
  });
});
