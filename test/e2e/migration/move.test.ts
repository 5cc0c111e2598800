import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startMoveClients } from '../../../scripts/chaos/move/clients.js';
import { createMoveCommands } from '../../../scripts/chaos/move/commands.js';
import { type MortalProcess, mortalProcess, writeMoveConfig } from '../../../scripts/chaos/move/deployment.js';
import { compareEnds } from '../../../scripts/chaos/move/ending.js';
import { Figures } from '../../../scripts/chaos/move/figures.js';
import { startTraffic } from '../../../scripts/chaos/move/traffic.js';
import { connectionUri } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import { type OpenedStorage, openStorage } from '../../../src/app/open-storage.js';
import { loadConfig } from '../../../src/config/load.js';
import { createCommon } from '../../../src/core/common.js';
import { seededRandom } from '../../../src/core/random.js';
import { endAllCli, runCli } from '../../support/e2e/cli.js';
import { type EmittedChain, startEmittedChain } from '../../support/e2e/emitted-chain.js';
import { e2eDirectory } from '../../support/e2e/service.js';
import { startTap, type Tap } from '../../support/e2e/tap.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';

const STALE_MS = 1_000;

const directory = e2eDirectory();
let databases: readonly [old: TestDatabase, next: TestDatabase];
/** Of the commands. */
let taps: readonly [old: Tap, next: Tap];
/** Between the worker and the new database. */
let following: Tap;
let chain: EmittedChain;
let config: string;
let tapped: string;
let worker: MortalProcess;
let api: MortalProcess;
let library: OpenedStorage;

beforeAll(async () => {
  const create = () => createTestDatabase({ migrated: false });
  databases = await Promise.all([create(), create()]);
  taps = await Promise.all([startTap(databases[0].tcp), startTap(databases[1].tcp)]);
  following = await startTap(databases[1].tcp);
  chain = await startEmittedChain(1_100);
  const settings = {
    ...{ chains: [chain.chainSection({ PollInterval: 50 })], verifiers: [chain.verifierSection()] },
    ...{ staleMs: STALE_MS, rowsPerSecond: 1_000_000, retention: 0 },
  };
  const [old, next] = databases;
  config = writeMoveConfig(directory.path, 'move.toml', { ...settings, old: old.uri, new: next.uri });
  const tappedUri = ({ tcp }: TestDatabase, { port }: Tap) => connectionUri({ ...tcp, port });
  tapped = writeMoveConfig(directory.path, 'tapped.toml', {
    ...{ ...settings, old: tappedUri(old, taps[0]), new: tappedUri(next, taps[1]) },
  });
  const worked = writeMoveConfig(directory.path, 'worker.toml', {
    ...{ ...settings, old: old.uri, new: tappedUri(next, following) },
  });
  const { code, stderr } = await runCli(['migrate', 'up', '--config', config]);
  expect(code, stderr).toBe(0);
  for (let block = 0; block < 4; block += 1) await chain.block(50);
  worker = mortalProcess('worker', worked);
  api = mortalProcess('api', config);
  await Promise.all([worker.start(), api.start()]);
  library = await openStorage(loadConfig({ file: config }), createCommon(), 'read');
});
afterAll(async () => {
  await library.close();
  await endAllCli();
  await Promise.all([...taps, following].map((tap) => tap.close()));
  await chain.close();
  await Promise.all(databases.map((database) => database.drop()));
  directory.remove();
});

it('promise 1, promise 3: no answer is wrong while a deployment moves and moves back, its switch killed in its middle', async () => {
  const seed = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));
  console.log(`TEST_SEED=${seed}`);
  const figures = new Figures();
  figures.begin('moving', 0);
  const clients = startMoveClients({
    ...{
      replicas: [api],
      library: library.sink,
      perSecond: 50,
      staleMs: STALE_MS,
      random: seededRandom(seed),
      figures,
    },
  });
  const untilShown = async () => {
    await eventually('everything to be shown', () =>
      [clients.messages, clients.results].every(({ records }) => records.length >= chain.messageIds.length),
    );
  };
  const { run, kill } = createMoveCommands(tapped, taps);
  let stop = startTraffic(chain, 2, 100);
  for (const command of ['prepare', 'start', 'backfill', 'compare']) await run(command);
  await eventually('every process to work by the phase', async () => {
    const { rows } = await databases[0].sql(
      'SELECT bool_and(p.revision = m.revision) AS ready FROM moving.move m, moving.move_processes p',
    );
    return (rows[0] as { ready: boolean }).ready;
  });
  following.pause();
  await eventually('the new database to be behind', async () => {
    const [old, next] = await Promise.all(databases.map(headOf));
    return (old ?? 0) > (next ?? 0);
  });
  // the old database has ended its lead, and the command dies before the new one begins its own
  expect(await kill(['switch'], { from: 'SET handed_over', pieces: 1, last: 'pass' })).toBe(true);
  following.resume();
  await run('switch');
  await stop();
  await untilShown();
  expect(await compareEnds(config, clients, chain.messageIds)).toEqual([]);
  stop = startTraffic(chain, 2, 100);
  await run('rollback');
  await stop();
  await chain.block(2);
  await untilShown();
  await clients.stop();
  expect(figures.wrongs).toEqual([]);
  await Promise.all([worker.stop(), api.stop()]);
});

async function headOf(database: TestDatabase): Promise<number> {
  const { rows } = await database.sql('SELECT last_position::int AS position FROM moving.ingest_clock');
  return (rows[0] as { position: number }).position;
}
