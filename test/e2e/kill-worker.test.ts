import { randomInt } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { connectionUri } from '../../scripts/devnet/postgres/embedded-postgres.js';
import { seededRandom } from '../../src/core/random.js';
import { type RpcProxy, startRpcProxy } from '../support/chain/rpc-proxy.js';
import { endAllCli, startCli } from '../support/e2e/cli.js';
import { type EmittedChain, startEmittedChain } from '../support/e2e/emitted-chain.js';
import { checkOrder, tableRows } from '../support/e2e/namespace.js';
import { e2eDirectory, hotAndWarm, startServiceProcess, writeConfig } from '../support/e2e/service.js';
import { startTap, type Tap } from '../support/e2e/tap.js';
import { eventually } from '../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';

const KILLS = 10;
const BLOCKS = 250;
const MESSAGES_PER_BLOCK = 12;
/** The last 128 blocks are followed instead of backfilled: enough of them are empty for most kills to hit the backfill. */
const EMPTY_BLOCKS = 100;
/** One block in so many has a log that does not pass the checks. */
const BAD_EVERY = 25;
/** A kill waits for at most this many pieces of data on their way to Postgres, counted over all connections. */
const MOST_PIECES = 24;

const directory = e2eDirectory();
let database: TestDatabase;
let chain: EmittedChain;
let rpc: RpcProxy;
let tap: Tap;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  chain = await startEmittedChain(11);
  for (let block = 1; block <= BLOCKS; block += 1)
    await chain.block(MESSAGES_PER_BLOCK, block % BAD_EVERY === 0 ? 1 : 0);
  await chain.mine(EMPTY_BLOCKS);
  rpc = await startRpcProxy(chain.url);
  tap = await startTap(database.tcp);
});
afterEach(endAllCli);
afterAll(async () => {
  await tap.close();
  await rpc.close();
  await chain.close();
  await database.drop();
  directory.remove();
});

function configFor(namespace: string, rpcUrl: string, port: number, maxBlockRange: number): string {
  const config = hotAndWarm({
    namespace,
    uri: connectionUri({ ...database.tcp, port }),
    chains: [chain.chainSection({ RpcUrls: [rpcUrl], MaxBlockRange: maxBlockRange })],
    verifiers: [chain.verifierSection()],
  });
  return writeConfig(directory.path, `${namespace}.toml`, config);
}

async function counts(namespace: string): Promise<{ messages: number; verified: number }> {
  const { rows } = await database.sql(
    `SELECT count(*)::int AS messages, (count(*) FILTER (WHERE status = 1))::int AS verified FROM ${namespace}.messages`,
  );
  return rows[0] as { messages: number; verified: number };
}

/** Until everything is found and verified, and the cursor stands at the finalized block. */
async function untilComplete(namespace: string): Promise<void> {
  const finalized = await chain.finalized();
  await eventually(`${namespace} to be complete`, async () => {
    const { verified } = await counts(namespace);
    if (verified < chain.messageIds.length) return `${verified} of ${chain.messageIds.length} messages`;
    const { rows } = await database.sql(`SELECT height::int AS height FROM ${namespace}.source_cursors`);
    return rows[0]?.height === finalized || rows;
  });
}

/** Where the next life of the worker ends. */
interface Death {
  /** Armed when it asks for this block. */
  readonly fromBlock: number;
  /** So many pieces of data for Postgres later. */
  readonly pieces: number;
  /** Whether the last of them still gets there. */
  readonly last: 'pass' | 'drop';
}

function drawDeaths(seed: number): Death[] {
  const random = seededRandom(seed);
  return Array.from({ length: KILLS }, (_, index) => ({
    fromBlock: Math.floor(((index + random()) / (KILLS + 1)) * BLOCKS),
    pieces: 1 + Math.floor(random() * MOST_PIECES),
    last: random() < 0.5 ? 'pass' : 'drop',
  }));
}

/** Lives until its death. */
async function live(configFile: string, death: Death): Promise<void> {
  const worker = startCli(['worker', '--config', configFile]);
  let armed = false;
  let pieces = 0;
  rpc.onRequest = (calls) => {
    const [filter] = calls.filter(({ method }) => method === 'eth_getLogs').map(({ params }) => params[0]);
    if (filter && Number((filter as { fromBlock: string }).fromBlock) >= death.fromBlock) armed = true;
    return false;
  };
  tap.onSent = () => {
    if (!armed) return 'pass';
    pieces += 1;
    if (pieces < death.pieces) return 'pass';
    worker.kill('SIGKILL');
    return pieces === death.pieces ? death.last : 'drop';
  };
  expect(await worker.exited, worker.stderr()).toEqual({ code: null, signal: 'SIGKILL' });
  rpc.onRequest = null;
  tap.onSent = null;
}

it('promise 1: ten kills in the middle of a backfill leave the same rows as no kill at all', async () => {
  const seed = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));
  const deaths = drawDeaths(seed);
  console.log(`TEST_SEED=${seed}`);

  const undisturbed = configFor('undisturbed', chain.url, database.tcp.port, 2_000);
  const { cli } = await startServiceProcess('worker', undisturbed, '--migrate');
  await untilComplete('undisturbed');
  expect(await cli.stop()).toEqual({ code: 0, signal: null });

  const killed = configFor('killed', rpc.url, tap.port, 5);
  const first = await startCli(['migrate', 'up', '--config', killed]).exited;
  expect(first.code).toBe(0);
  let stored = 0;
  for (const [index, death] of deaths.entries()) {
    await live(killed, death);
    const { messages, verified } = await counts('killed');
    console.log(`kill ${index + 1}: ${JSON.stringify(death)}, ${messages} messages stored, ${verified} verified`);
    // in the middle: nothing was lost since the last one, and something is left to do
    expect(messages).toBeGreaterThanOrEqual(stored);
    expect(verified).toBeLessThan(chain.messageIds.length);
    stored = messages;
  }
  expect(stored).toBeGreaterThan(chain.messageIds.length / 2);
  const last = await startServiceProcess('worker', killed);
  await untilComplete('killed');
  expect(await last.cli.stop()).toEqual({ code: 0, signal: null });

  const [expected, found] = [await tableRows(database, 'undisturbed'), await tableRows(database, 'killed')];
  expect([...found.keys()]).toEqual([...expected.keys()]);
  for (const [table, rows] of expected) expect(found.get(table), table).toEqual(rows);
  expect(expected.get('messages')).toHaveLength(chain.messageIds.length);
  expect(expected.get('verifier_results')).toHaveLength(chain.messageIds.length);
  expect(expected.get('quarantine')).toHaveLength(chain.badLogs);
  for (const namespace of ['undisturbed', 'killed']) await checkOrder(database, namespace);
});
