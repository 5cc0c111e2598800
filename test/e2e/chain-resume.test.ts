import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Hex } from '../../src/core/hex.js';
import { type AnvilChain, startAnvilChain } from '../support/chain/anvil-chain.js';
import { message } from '../support/chain/chain-fixture.js';
import { ON_RAMP, SOURCE } from '../support/chain/watch.js';
import { endAllCli, runCli } from '../support/e2e/cli.js';
import { listMessages } from '../support/e2e/http.js';
import {
  e2eDirectory,
  hotAndWarm,
  type RunningService,
  startServiceProcess,
  writeConfig,
} from '../support/e2e/service.js';
import { eventually } from '../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';

/** finalized = latest − 6 */
const SLOTS = 3;
const NAMESPACE = 'resumed';

const directory = e2eDirectory();
let database: TestDatabase;
let chain: AnvilChain;
let file: string;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  chain = await startAnvilChain({ onRamp: ON_RAMP, slots: SLOTS });
  file = configOf('resumed', [section()]);
});
afterEach(endAllCli);
afterAll(async () => {
  await chain.stop();
  await database.drop();
  directory.remove();
});

function section(settings: Readonly<Record<string, string | number>> = {}) {
  return {
    Name: 'local',
    Selector: String(SOURCE.sourceSelector),
    RpcUrls: [chain.anvil.url],
    OnRamp: ON_RAMP,
    Confirmations: 'latest',
    PollInterval: 50,
    HaltAfter: 200,
    RequestsPerSecond: 1_000,
    ...settings,
  };
}

function configOf(name: string, chains: readonly ReturnType<typeof section>[]): string {
  return writeConfig(directory.path, `${name}.toml`, hotAndWarm({ namespace: name, uri: database.uri, chains }));
}

const resume = (...options: readonly string[]) => runCli(['chain', 'resume', 'local', '-c', file, ...options]);

interface Watcher {
  readonly state: string;
  readonly cursor: { readonly height: number } | null;
  readonly processed: number | null;
  readonly lastError: { readonly code: string; readonly message: string } | null;
  readonly problem: string | null;
}
async function watcherOf({ adminUrl }: RunningService): Promise<Watcher> {
  const status = (await (await fetch(`${adminUrl}/status`)).json()) as { sources: { watcher: Watcher }[] };
  return status.sources[0]!.watcher;
}

async function storedCursor(): Promise<{ height: number; hash: Hex }> {
  const { rows } = await database.sql(
    `SELECT height::int AS height, '0x' || encode(hash, 'hex') AS hash FROM ${NAMESPACE}.source_cursors WHERE source_id LIKE 'chain:%'`,
  );
  return rows[0] as { height: number; hash: Hex };
}

it('a chain that halted is set back by a command, read again, and what is gone is orphaned (promises 1, 5, 6, 9)', async () => {
  for (let number = 1; number <= 12; number++) await chain.block(message(number));
  const first = await startServiceProcess('start', file, '--migrate');
  await eventually('everything is listed', async () => (await listMessages(first.apiUrl)).size === 12);
  await eventually('what is final is stored', async () => (await storedCursor()).height === 6);
  const [kept, moved, gone] = [message(3), message(6), message(5)];

  // blocks 5 to 12 become others: the message of block 6 is in block 7 now, a new one in block 8, the rest is gone
  await chain.reorg(8, [
    { log: moved, offset: 2 },
    { log: message(20), offset: 3 },
  ]);
  await eventually('the chain halts', async () => (await watcherOf(first)).state === 'halted');
  const halted = await watcherOf(first);
  expect(halted.lastError?.code).toBe('FINALIZED_REORG');
  expect(halted.lastError?.message).toContain('ccv-indexer chain resume local --from');

  const busy = await resume('--from', '5');
  expect(busy.code).toBe(1);
  expect(busy.stderr).toContain('RESUME_BUSY');
  await first.cli.stop();
  const second = await startServiceProcess('start', file);
  await eventually('it halts again', async () => (await watcherOf(second)).state === 'halted');
  expect((await watcherOf(second)).lastError?.message.replace(/since \S+/, '')).toBe(
    halted.lastError?.message.replace(/since \S+/, ''),
  );
  await second.cli.stop();

  const tooHigh = await resume('--from', '6');
  expect(tooHigh.code).toBe(1);
  expect(tooHigh.stderr).toMatch(/RESUME_FROM_TOO_HIGH/);
  expect(tooHigh.stderr).toMatch(/write --from 5, or a block before it/);
  const before = await storedCursor();
  const dry = await resume('--from', '5', '--dry-run');
  expect(dry.stderr).toBe('');
  expect(dry.code).toBe(0);
  expect(dry.stdout).toContain(`would be set back to block 4, ${await chain.hashAt(4)}`);
  expect(dry.stdout).toContain('8 stored messages are from block 5 on, 8 of them in blocks that are not on the chain');
  expect(await storedCursor()).toEqual(before);

  const done = await resume('--from', '5', '--json');
  expect(done.code, done.stderr).toBe(0);
  expect(JSON.parse(done.stdout)).toMatchObject({ chain: 'local', from: 5, dryRun: false, orphanings: [] });
  expect(await storedCursor()).toEqual({ height: 4, hash: await chain.hashAt(4) });

  const third = await startServiceProcess('start', file);
  const expected = [1, 2, 3, 4, 6, 20].map((number) => message(number).messageId).sort();
  await eventually('the lists are what the chain is', async () => {
    return JSON.stringify([...(await listMessages(third.apiUrl)).keys()].sort()) === JSON.stringify(expected);
  });
  const known = async (id: Hex) =>
    ((await (await fetch(`${third.adminUrl}/messages/${id}`)).json()) as { stored: { orphaned: boolean } }).stored;
  expect(await known(gone.messageId)).toMatchObject({ orphaned: true });
  expect(await known(kept.messageId)).toMatchObject({ orphaned: false });
  expect(await known(moved.messageId)).toMatchObject({ orphaned: false });
  await chain.mine(3);
  await eventually('the cursor moves on', async () => (await storedCursor()).height === 9);
  await third.cli.stop();

  const above = await resume('--from', '10');
  expect(above.code).toBe(1);
  expect(above.stderr).toContain('there is nothing to set back');
  const foreign = await runCli(['chain', 'resume', 'other', '--from', '5', '-c', file]);
  expect(foreign.stderr).toContain('no chain is called other: write one of local');
});

describe('a node that does not know the finalized tag', () => {
  it('makes /ready say what to configure', async () => {
    const tagless = await startAnvilChain({ onRamp: ON_RAMP, slots: SLOTS });
    const { startRpcProxy } = await import('../support/chain/rpc-proxy.js');
    const proxy = await startRpcProxy(tagless.anvil.url);
    proxy.onCall = async (call, forward) =>
      call.params[0] === 'finalized' ? { error: { code: -39001, message: 'Unknown block' } } : await forward();
    await tagless.block(message(1));
    const service = await startServiceProcess(
      'start',
      configOf('tagless', [{ ...section({ Confirmations: 'finalized' }), RpcUrls: [proxy.url] }]),
      '--migrate',
    );
    await eventually('it is told', async () => (await fetch(`${service.apiUrl}/ready`)).status === 503);
    expect((await fetch(`${service.adminUrl}/ready`)).status).toBe(503);
    const { message: why } = (await (await fetch(`${service.apiUrl}/ready`)).json()) as { message: string };
    expect(why).toMatch(/^chain local: no RPC URL tells a finalized block.*Set Confirmations to/);
    expect((await watcherOf(service)).problem).toMatch(/Set Confirmations to/);
    await service.cli.stop();
    const deep = await startServiceProcess(
      'start',
      configOf('tagless', [{ ...section({ Confirmations: 1 }), RpcUrls: [proxy.url] }]),
    );
    await tagless.mine(2);
    await eventually('it is read', async () => (await listMessages(deep.apiUrl)).size === 1);
    expect((await fetch(`${deep.apiUrl}/ready`)).status).toBe(200);
    await deep.cli.stop();
    await proxy.close();
    await tagless.stop();
  });
});
