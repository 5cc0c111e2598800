import { randomInt } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type AggregatorServer, startAggregatorServer } from '../../scripts/devnet/aggregator/aggregator-server.js';
import { connectionUri } from '../../scripts/devnet/postgres/embedded-postgres.js';
import { seededRandom } from '../../src/core/random.js';
import { ANNOUNCEMENT } from '../support/discovery/discovery.js';
import { endAllCli, startCli } from '../support/e2e/cli.js';
import { checkOrder, tableRows } from '../support/e2e/namespace.js';
import { e2eDirectory, hotAndWarm, startServiceProcess, writeConfig } from '../support/e2e/service.js';
import { startTap, type Tap } from '../support/e2e/tap.js';
import { eventually } from '../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';
import { createRecordMaker } from '../support/records.js';
import { API_KEY, SECRET } from '../support/verifiers/aggregator.js';

const KILLS = 6;
const ENTRIES = 3_000;
const ANNOUNCED_EVERY = 7;
const BAD_EVERY = 40;
/** A kill waits for at most this many pieces of data on their way to Postgres, counted over all connections. */
const MOST_PIECES = 12;

const make = createRecordMaker(17);
const directory = e2eDirectory();
let database: TestDatabase;
let aggregator: AggregatorServer;
let tap: Tap;
let lastSequence = 0n;
let [messages, results, bad] = [0, 0, 0];
const ccv = make.hex(20);

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  aggregator = await startAggregatorServer({ clients: new Map([[API_KEY, SECRET]]), nowMs: () => Date.now() });
  for (let index = 1; index <= ENTRIES; index += 1) {
    if (index % 3 === 0) aggregator.skip(1n);
    if (index % BAD_EVERY === 0) {
      lastSequence = aggregator.publishBytes(make.bytes(40));
      bad += 1;
      continue;
    }
    const isAnnounced = index % ANNOUNCED_EVERY === 0;
    const message = make.message({ ccvs: [ccv] });
    lastSequence = aggregator.publish(make.result(message, 0, isAnnounced ? ANNOUNCEMENT : {}));
    messages += 1;
    results += isAnnounced ? 0 : 1;
  }
  tap = await startTap(database.tcp);
});
afterEach(endAllCli);
afterAll(async () => {
  await tap.close();
  await aggregator.close();
  await database.drop();
  directory.remove();
});

function configFor(namespace: string, port: number): string {
  const config = hotAndWarm({
    namespace,
    uri: connectionUri({ ...database.tcp, port }),
    // the verifications come from the aggregator alone
    verifiers: [{ Type: 'rest', Name: 'committee', IssuerAddresses: [ccv], BaseURL: 'http://127.0.0.1:9' }],
  });
  const discovery = {
    ...{ Name: 'agg', Address: aggregator.address, InsecureConnection: true, PollInterval: 100, Timeout: 30_000 },
    ...{ APIKey: API_KEY, Secret: SECRET },
  };
  return writeConfig(directory.path, `${namespace}.toml`, { ...config, Discoveries: [discovery] });
}

async function counts(namespace: string): Promise<{ messages: number; verified: number }> {
  const { rows } = await database.sql(
    `SELECT count(*)::int AS messages, (count(*) FILTER (WHERE status = 1))::int AS verified FROM ${namespace}.messages`,
  );
  return rows[0] as { messages: number; verified: number };
}

/** Until every entry is read, and every message with a verification is a success. */
async function untilComplete(namespace: string): Promise<void> {
  await eventually(`${namespace} to be complete`, async () => {
    const found = await counts(namespace);
    if (found.verified < results) return found;
    const { rows } = await database.sql(`SELECT height::int AS height FROM ${namespace}.source_cursors`);
    return rows[0]?.height === Number(lastSequence) || rows;
  });
}

/** Lives until so many pieces of data for Postgres after some page was asked for. */
async function live(configFile: string, pages: number, most: number, last: 'pass' | 'drop'): Promise<void> {
  const worker = startCli(['worker', '--config', configFile]);
  let asked = 0;
  let pieces = 0;
  aggregator.answer(() => {
    asked += 1;
    return null;
  });
  tap.onSent = () => {
    if (asked < pages) return 'pass';
    pieces += 1;
    if (pieces < most) return 'pass';
    worker.kill('SIGKILL');
    return pieces === most ? last : 'drop';
  };
  expect(await worker.exited, worker.stderr()).toEqual({ code: null, signal: 'SIGKILL' });
  aggregator.answer(null);
  tap.onSent = null;
}

it('promise 1: kills between the pages of an aggregator leave the same rows as no kill at all', async () => {
  const seed = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));
  const random = seededRandom(seed);
  console.log(`TEST_SEED=${seed}`);

  const undisturbed = configFor('undisturbed', database.tcp.port);
  const { cli } = await startServiceProcess('worker', undisturbed, '--migrate');
  await untilComplete('undisturbed');
  expect(await cli.stop()).toEqual({ code: 0, signal: null });

  const killed = configFor('killed', tap.port);
  expect((await startCli(['migrate', 'up', '--config', killed]).exited).code).toBe(0);
  let stored = 0;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    // from the cursor on: four pages at most in each life
    await live(
      killed,
      1 + Math.floor(random() * 4),
      1 + Math.floor(random() * MOST_PIECES),
      random() < 0.5 ? 'pass' : 'drop',
    );
    const now = await counts('killed');
    console.log(`kill ${kill}: ${now.messages} messages stored`);
    expect(now.messages).toBeGreaterThanOrEqual(stored);
    expect(now.messages).toBeLessThan(messages);
    stored = now.messages;
  }
  const last = await startServiceProcess('worker', killed);
  await untilComplete('killed');
  expect(await last.cli.stop()).toEqual({ code: 0, signal: null });

  const [expected, found] = [await tableRows(database, 'undisturbed'), await tableRows(database, 'killed')];
  for (const [table, rows] of expected) expect(found.get(table), table).toEqual(rows);
  expect(expected.get('messages')).toHaveLength(messages);
  expect(expected.get('verifier_results')).toHaveLength(results);
  expect(expected.get('quarantine')).toHaveLength(bad);
  expect(expected.get('conflicts')).toEqual([]);
  for (const namespace of ['undisturbed', 'killed']) await checkOrder(database, namespace);
});
