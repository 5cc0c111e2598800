import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectionUri } from '../../scripts/devnet/postgres/embedded-postgres.js';
import { seededRandom } from '../../src/core/random.js';
import { type AnnouncedMessages, startAnnouncedMessages } from '../support/e2e/announced-messages.js';
import { endAllCli, runCli } from '../support/e2e/cli.js';
import { type EmittedChain, startEmittedChain } from '../support/e2e/emitted-chain.js';
import { listMessages } from '../support/e2e/http.js';
import { checkOrder } from '../support/e2e/namespace.js';
import { expectSameBytes } from '../support/e2e/same-bytes.js';
import {
  e2eDirectory,
  hotAndWarm,
  type RunningService,
  startServiceProcess,
  writeConfig,
} from '../support/e2e/service.js';
import { startTruthClients, type TruthClients } from '../support/e2e/truth.js';
import { eventually } from '../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';
import { type PostgresProxy, startPostgresProxy } from '../support/postgres/proxy.js';

const NAMESPACE = 'workers';

const directory = e2eDirectory();
let database: TestDatabase;
let proxy: PostgresProxy;
let origins: readonly [EmittedChain, AnnouncedMessages];
let direct: string;
let proxied: string;
const clients: TruthClients[] = [];

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  proxy = await startPostgresProxy(database.tcp);
  origins = await Promise.all([startEmittedChain(91), startAnnouncedMessages(92)]);
  const [chain, announced] = origins;
  const config = (uri: string) => ({
    ...hotAndWarm({
      ...{ namespace: NAMESPACE, uri },
      chains: [chain.chainSection({ PollInterval: 50 })],
      verifiers: origins.map((origin) => origin.verifierSection()),
      memory: { MaxStaleness: 10_000 },
    }),
    Discoveries: [announced.discoverySection({ PollInterval: 50 })],
  });
  direct = writeConfig(directory.path, 'direct.toml', config(database.uri));
  proxied = writeConfig(directory.path, 'proxied.toml', config(connectionUri(proxy.tcp)));
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.stop()));
  await endAllCli();
  await proxy.close();
  await Promise.all(origins.map((origin) => origin.close()));
  await database.drop();
  directory.remove();
});

interface Status {
  readonly workers: {
    readonly members: readonly { readonly member: string; readonly since: string }[];
    readonly leases: readonly Ownership[];
  };
  readonly membership?: { readonly member: string };
}
interface Ownership {
  readonly source: string;
  readonly owner: string | null;
  readonly epoch: number;
  readonly since: string;
}

async function statusOf({ adminUrl }: RunningService): Promise<Status> {
  return (await (await fetch(`${adminUrl}/status`)).json()) as Status;
}

const nameOf = async (worker: RunningService) => (await statusOf(worker)).membership!.member;

async function attempts({ adminUrl }: RunningService): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  return Number(/^indexer_verification_attempts_total\{outcome="success"\} (\d+)/m.exec(text)?.[1] ?? 0);
}

it('two workers, of which one is killed, one joins, one is cut off and returns: sources move, no gap, no duplicate, and replicas answer alike', async () => {
  const killed = await startServiceProcess('worker', direct, '--migrate');
  const [cut, ...started] = await Promise.all([
    startServiceProcess('worker', proxied),
    startServiceProcess('api', direct),
    startServiceProcess('api', direct),
  ]);
  const replicas: readonly [RunningService, RunningService] = [started[0]!, started[1]!];
  for (const [index, { apiUrl }] of replicas.entries()) clients.push(startTruthClients(apiUrl, seededRandom(index)));

  /** Until a replica shows that the sources are shared by these, one each, or both one's. */
  async function untilOwnedBy(...owners: readonly string[]): Promise<readonly Ownership[]> {
    let leases: readonly Ownership[] = [];
    await eventually(`the sources to be owned by ${owners.join(' and ')}`, async () => {
      const { workers } = await statusOf(replicas[0]);
      leases = workers.leases;
      const found = leases.map(({ owner }) => owner).sort();
      return JSON.stringify(found) === JSON.stringify([...owners].sort()) ? true : workers;
    });
    return leases;
  }
  const allIds = () => origins.flatMap(({ messageIds }) => messageIds);
  async function untilAllVerified(): Promise<void> {
    await eventually('every message to be verified', async () => {
      const { rows } = await database.sql(
        `SELECT count(*) FILTER (WHERE status = 1)::int AS verified FROM ${NAMESPACE}.messages`,
      );
      return rows[0].verified === allIds().length || rows[0];
    });
  }

  const [first, second] = [await nameOf(killed), await nameOf(cut!)];
  const before = await untilOwnedBy(first, second);
  // both work: each message is asked for by one of them, and once
  for (let block = 0; block < 10; block += 1) for (const origin of origins) await origin.block(4);
  await untilAllVerified();
  for (const origin of origins) {
    // both verifiers speak for the CCV: each is asked for its own, and for some of the other's
    const asked = origin.asked();
    expect(new Set(asked).size).toBe(asked.length);
    expect(asked).toEqual(expect.arrayContaining([...origin.messageIds]));
  }
  await eventually('one attempt for each message, at both workers', async () => {
    const [one, other] = [await attempts(killed), await attempts(cut!)];
    return (one > 0 && other > 0 && one + other === allIds().length) || [one, other];
  });

  let stopTraffic = false;
  const traffic = (async () => {
    while (!stopTraffic) {
      for (const origin of origins) await origin.block(1);
      // ever slower: a list shows a thousand, and a busy machine takes long
      await delay(100 + allIds().length);
    }
  })();
  const moreStored = async (what: string) => {
    const { rows } = await database.sql(`SELECT last_position::int AS at FROM ${NAMESPACE}.ingest_clock`);
    await eventually(what, async () => {
      const now = await database.sql(
        `SELECT block_number IS NULL, count(*)::int AS n FROM ${NAMESPACE}.messages WHERE position > $1 GROUP BY 1`,
        [rows[0].at],
      );
      return (now.rows.length === 2 && now.rows.every(({ n }) => n >= 3)) || now.rows;
    });
  };
  try {
    await moreStored('traffic to flow');
    const { rows } = await database.sql(`SELECT expires_ms::text AS ms FROM ${NAMESPACE}.members WHERE member = $1`, [
      first,
    ]);
    killed.cli.kill('SIGKILL');
    await killed.cli.exited;
    const taken = await untilOwnedBy(second, second);
    const tookMs = Math.max(...taken.map(({ since }) => Date.parse(since))) - Number(rows[0].ms);
    console.log(`the dead worker's source moved ${tookMs} ms after its lease had ended`);
    // the survivor's own stayed as it was
    expectRise(before, taken, ({ owner }) => owner === first);
    await moreStored('both sources to go on');

    const added = await startServiceProcess('worker', direct);
    const third = await nameOf(added);
    const shared = await untilOwnedBy(second, third);
    const shown = await runCli(['status', '-c', direct]);
    expect(shown.code, shown.stderr).toBe(0);
    expect(shown.stdout).toMatch(/^workers of namespace workers: 2$/m);
    for (const { source, owner, epoch } of shared)
      expect(shown.stdout).toMatch(new RegExp(`^  ${source} +${owner} +epoch ${epoch} +since 20`, 'm'));
    await moreStored('both sources to go on again');

    await proxy.shut();
    const alone = await untilOwnedBy(third, third);
    expectRise(shared, alone, ({ owner }) => owner === second);
    await moreStored('both sources to go on without the one that is cut off');
    await proxy.open();
    await cut!.cli.printed(/another worker has taken the source/);
    const again = await untilOwnedBy(second, third);
    await moreStored('both sources to go on with it');
    const given = again.find(({ owner }) => owner === second)!;
    expectRise(alone, again, ({ source }) => source === given.source);
    expect(cut!.cli.exit()).toBeNull();

    expect(await added.cli.stop()).toEqual({ code: 0, signal: null });
    await untilOwnedBy(second, second);
    expect((await statusOf(replicas[1])).workers.members).toMatchObject([{ member: second }]);
  } finally {
    stopTraffic = true;
    await traffic;
  }

  await untilAllVerified();
  const ids = [...allIds()].sort();
  for (const { apiUrl } of replicas)
    await eventually('every message to be listed as verified', async () => {
      const listed = [...(await listMessages(apiUrl)).entries()];
      const verified = listed.filter(([, { metadata }]) => metadata.status === 1).length;
      return (listed.length === ids.length && verified === ids.length) || [listed.length, verified, ids.length];
    });
  expect([...(await listMessages(replicas[0].apiUrl)).keys()].sort()).toEqual(ids);
  for (const table of ['messages', 'verifier_results']) {
    const { rows } = await database.sql(
      `SELECT '0x' || encode(message_id, 'hex') AS id FROM ${NAMESPACE}.${table} ORDER BY 1`,
    );
    expect(rows.map(({ id }) => id)).toEqual(ids);
  }
  const { rows } = await database.sql(`SELECT (SELECT count(*) FROM ${NAMESPACE}.conflicts)::int AS conflicts,
    (SELECT count(*) FROM ${NAMESPACE}.quarantine)::int AS quarantined`);
  expect(rows).toEqual([{ conflicts: 0, quarantined: 0 }]);
  await checkOrder(database, NAMESPACE);
  await expectSameBytes(replicas, allIds());
  for (const client of clients) expect(await client.stop()).toEqual([]);
  expect(await cut!.cli.stop()).toEqual({ code: 0, signal: null });
  expect(await database.sql(`SELECT owner FROM ${NAMESPACE}.leases`)).toMatchObject({
    rows: [{ owner: null }, { owner: null }],
  });
});

/** The sources that moved have new epochs, and the others the same. */
function expectRise(
  before: readonly Ownership[],
  after: readonly Ownership[],
  hasMoved: (ownership: Ownership) => boolean,
): void {
  for (const ownership of before) {
    const { epoch } = after.find(({ source }) => source === ownership.source)!;
    if (hasMoved(ownership)) expect(epoch).toBeGreaterThan(ownership.epoch);
    else expect(epoch).toBe(ownership.epoch);
  }
}
