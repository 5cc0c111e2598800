import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createPublicClient, createWalletClient, http, pad, parseAbi } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { afterAll, afterEach, expect, it } from 'vitest';
import { MESSAGE_SENT_TOPIC } from '../../scripts/devnet/lane/events.js';
import type { Hex } from '../../src/core/hex.js';
import type { SequencedResult } from '../../src/verifiers/aggregator/client/aggregator-client.js';
import { entriesOf } from '../support/devnet/aggregator-entries.js';
import { type CliProcess, endAllCli, startDevnet } from '../support/e2e/cli.js';
import {
  body,
  get,
  type ListedMessage,
  listMessages,
  listResults,
  messagesIn,
  resultsOfIdIn,
} from '../support/e2e/http.js';
import { descendantsOf, type SeenProcess, stillRunning } from '../support/e2e/process-tree.js';
import { e2eDirectory } from '../support/e2e/service.js';
import { eventually } from '../support/eventually.js';

const SELECTORS = ['3379446385462418246', '7759470850252068959'];

const ROUTER = parseAbi([
  'function ccipSend(uint64, (bytes receiver, bytes data, (address token, uint256 amount)[] tokenAmounts, address feeToken, bytes extraArgs)) payable returns (bytes32)',
]);

const directory = e2eDirectory();
const dataDir = join(directory.path, 'data');
/** What the first run left in the data directory, by message id. */
const left = new Map<string, ListedMessage>();
/** What the aggregators of the first run had, by their names. */
const published = new Map<string, readonly SequencedResult[]>();

afterEach(endAllCli);
afterAll(() => directory.remove());

async function startDev(...options: readonly string[]): Promise<{ cli: CliProcess; apiUrl: string; adminUrl: string }> {
  const cli = startDevnet(['--port', '0', '--data', dataDir, ...options]);
  const [, apiUrl = '', adminUrl = ''] = await cli.printed(/^query API (\S+), admin port (\S+), data in /m);
  return { cli, apiUrl, adminUrl };
}

/** A line that tells a fact about each chain: of chain A, of chain B. */
function facts({ stdout }: CliProcess, label: string): [string, string] {
  const [, ofA = '', ofB = ''] = new RegExp(`^ *${label} +(\\S+)(?: +(\\S+))?`, 'm').exec(stdout()) ?? [];
  return [ofA, ofB];
}

async function aggregatorEntries(cli: CliProcess, name: string): Promise<readonly SequencedResult[]> {
  const [, address = '', apiKey = '', secret = ''] =
    new RegExp(`^aggregator ${name} +(\\S+) +(\\S+)\\n +its secret +(\\S+)`, 'm').exec(cli.stdout()) ?? [];
  return await entriesOf({ address, apiKey, secret });
}

/** Sends a message from chain A as a developer does, by what the command printed. @returns its id. */
async function sendOwn(cli: CliProcess): Promise<string> {
  const account = privateKeyToAccount(facts(cli, 'its key')[0] as Hex);
  const transport = http(facts(cli, 'RPC')[0]);
  const hash = await createWalletClient({ account, transport }).writeContract({
    chain: null,
    address: facts(cli, 'router')[0] as Hex,
    abi: ROUTER,
    functionName: 'ccipSend',
    args: [
      BigInt(facts(cli, 'selector')[1]),
      {
        receiver: pad(facts(cli, 'receiver')[1] as Hex),
        data: '0x68656c6c6f',
        tokenAmounts: [],
        feeToken: facts(cli, 'LINK, pays fees')[0] as Hex,
        extraArgs: '0x',
      },
    ],
  });
  const { logs } = await createPublicClient({ transport }).waitForTransactionReceipt({ hash, pollingInterval: 100 });
  return logs.find(({ topics }) => topics[0] === MESSAGE_SENT_TOPIC)?.topics[3] ?? 'not sent';
}

/** The chains and the database that a running command brought up. */
function helpersOf({ pid }: CliProcess): SeenProcess[] {
  const running = descendantsOf(pid);
  for (const [name, least] of [
    ['anvil', 2],
    ['postgres', 1],
  ] as const)
    expect(running.filter(({ command }) => command.includes(name)).length, name).toBeGreaterThanOrEqual(least);
  return running;
}

/** The data files of the cold tier; their names are never used again. */
function coldFiles(): string[] {
  if (!existsSync(join(dataDir, 'cold'))) return [];
  return readdirSync(join(dataDir, 'cold'), { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.parquet') && !name.includes('_delta_log'),
  );
}

/** Ends with everything executed (or verified): says so, and leaves nothing running. */
async function endsWell(cli: CliProcess, helpers: readonly SeenProcess[], step = 'executed'): Promise<void> {
  expect(await cli.exited, cli.stderr()).toEqual({ code: 0, signal: null });
  const [, count] = new RegExp(`^all (\\d+) messages sent were ${step}, in \\d+:\\d\\d$`, 'm').exec(cli.stdout()) ?? [];
  expect(Number(count), cli.stdout()).toBeGreaterThan(0);
  expect(cli.stdout()).toMatch(/^lane kind +sent indexed verified executed/m);
  await leavesNothing(helpers);
}

async function leavesNothing(helpers: readonly SeenProcess[]): Promise<void> {
  await eventually('every process to be gone', () => {
    const rest = stillRunning(helpers);
    return rest.length === 0 || rest.map(({ pid, command }) => `${pid} ${command}`);
  });
}

/** A chain in `/status`. */
interface ChainShown {
  readonly watcher: { readonly executions: number; readonly onRamps: unknown[]; readonly offRamps: unknown[] };
}

it('sends for 15 seconds, answers all three endpoints with exact selectors meanwhile, and ends with all executed', async () => {
  const { cli, apiUrl, adminUrl } = await startDev('--for', '15s');
  await eventually('a verified message in each direction', async () => {
    const verified = [...(await listMessages(apiUrl)).values()].filter(({ metadata }) => metadata.status === 1);
    return new Set(verified.map(({ message }) => message.source_chain_selector)).size === 2;
  });
  const helpers = helpersOf(cli);

  const [messageId = ''] = [...(await listResults(apiUrl)).keys()];
  const texts = await Promise.all(
    ['messages?limit=1000', 'verifierresults?limit=1000', `verifierresults/${messageId}`].map((path) =>
      body(`${apiUrl}/v1/${path}`),
    ),
  );
  for (const text of texts)
    for (const selector of SELECTORS) expect(text).toMatch(new RegExp(`_chain_selector":${selector}[,}]`));
  expect(resultsOfIdIn(texts[2]!).length).toBeGreaterThan(0);
  for (const [id, entry] of messagesIn(texts[0]!)) left.set(id, entry);
  for (const selector of SELECTORS) {
    const filtered = await listMessages(apiUrl, `sourceChainSelectors=${selector}`);
    expect(filtered.size).toBeGreaterThan(0);
    for (const { message } of filtered.values()) expect(String(message.source_chain_selector)).toBe(selector);
  }
  expect((await get(`${apiUrl}/v1/verifierresults/0x${'ab'.repeat(32)}`)).status).toBe(404);
  expect((await get(`${apiUrl}/ready`)).status).toBe(200);
  // messages of chain A are known from aggregators alone; executions are read on both
  const readStatus = async () => JSON.parse(await body(`${adminUrl}/status`)) as { sources: ChainShown[] };
  const status = await body(`${adminUrl}/status`);
  await eventually('executions on both chains', async () => {
    const { sources } = await readStatus();
    return sources.every(({ watcher }) => watcher.executions > 0) || sources.map(({ watcher }) => watcher.executions);
  });
  const { sources } = await readStatus();
  expect(sources.map(({ watcher }) => [watcher.onRamps.length, watcher.offRamps.length])).toEqual([
    [0, 1],
    [1, 1],
  ]);
  expect((JSON.parse(status) as { discoveries: unknown }).discoveries).toMatchObject([
    { name: 'committee-first', state: 'running' },
    { name: 'committee-second', state: 'running' },
  ]);
  expect(await body(`${adminUrl}/metrics`)).toMatch(/^indexer_time_to_index_seconds_count\{query="chain"\} [1-9]/m);
  expect(facts(cli, 'chain id')).toEqual(['1337', '31337']);
  expect(facts(cli, 'selector')).toEqual(SELECTORS);
  const [, curl = ''] = /^curl -s '(.+)'$/m.exec(cli.stdout()) ?? [];
  expect(messagesIn(await body(curl)).size).toBeGreaterThan(0);
  for (const name of ['first', 'second']) published.set(name, await aggregatorEntries(cli, name));
  expect(published.get('first')?.length).toBeGreaterThan(0);

  await endsWell(cli, helpers);
});

it('kill -9 leaves nothing running either', async () => {
  const { cli } = await startDev();
  const helpers = helpersOf(cli);
  cli.kill('SIGKILL');
  await cli.exited;
  await leavesNothing(helpers);
});

it('continues from its data directory after that, and so do its aggregators', async () => {
  const { cli, apiUrl } = await startDev('--for', '3s');
  const helpers = helpersOf(cli);
  expect(cli.stdout()).toContain('continuing with the lane of the data directory');
  const listed = await listMessages(apiUrl);
  for (const [messageId, entry] of left) {
    expect(listed.get(messageId)?.message).toEqual(entry.message);
    expect(listed.get(messageId)?.metadata).toEqual({ ...entry.metadata, status: 1 });
  }
  for (const [name, entries] of published)
    expect((await aggregatorEntries(cli, name)).slice(0, entries.length)).toEqual(entries);
  await endsWell(cli, helpers);
});

it('every tier answers, for what it holds, and nobody is told anything else about the past than before', async () => {
  const { cli, adminUrl } = await startDev('--rate', '4');
  const helpers = helpersOf(cli);
  const asked = async () => {
    const metrics = await body(`${adminUrl}/metrics`);
    const tiers = ['hot', 'warm', 'cold'];
    return ['indexer_sink_lookups_total', 'indexer_sink_queries_total'].every((name) =>
      tiers.every((tier) => new RegExp(`^${name}\\{shape="${tier}"\\} [1-9]`, 'm').test(metrics)),
    );
  };
  // until the first message is no longer in memory, and then no longer in Postgres
  await eventually('every tier to have been asked', asked);
  cli.interrupt();
  expect(await cli.exited, cli.stderr()).toEqual({ code: 0, signal: null });
  expect(cli.stdout()).toMatch(/^tier +records +positions +lookups +lists$/m);
  for (const tier of ['hot', 'warm', 'cold'])
    expect(cli.stdout()).toMatch(new RegExp(`^${tier} +[1-9]\\d* +\\d+–\\d+ +[1-9]\\d* +[1-9]\\d*$`, 'm'));
  expect(cli.stdout()).not.toContain('answers about the past');
  await leavesNothing(helpers);
});

it('without an executor messages are verified, also those sent by hand, and the next start with one executes them', async () => {
  const { cli, apiUrl } = await startDev('--rate', '5', '--no-executor');
  const before = await listMessages(apiUrl);
  const own = await sendOwn(cli);
  const verified = async () =>
    [...(await listMessages(apiUrl))].filter(([id, { metadata }]) => !before.has(id) && metadata.status === 1);
  await eventually('messages of both to be verified', async () => {
    const found = await verified();
    return found.length > 5 && found.some(([id]) => id === own);
  });
  const underWay = (await verified()).length;
  const helpers = helpersOf(cli);
  cli.interrupt();
  expect(await cli.exited, cli.stderr()).toEqual({ code: 0, signal: null });
  expect(cli.stdout()).toMatch(/^ +all +\d+ +\d+ +\d+ +0 /m);
  expect(cli.stdout()).toMatch(/^[1-9]\d* verified besides, sent earlier or by others$/m);
  await leavesNothing(helpers);

  const next = await startDev('--rate', '0');
  const nextHelpers = helpersOf(next.cli);
  await eventually('what was under way to be executed', () => {
    const [count = '0'] = [...next.cli.stdout().matchAll(/ besides executed (\d+) /g)]
      .map(([, last]) => last)
      .slice(-1);
    return Number(count) >= underWay || count;
  });
  next.cli.interrupt();
  expect(await next.cli.exited, next.cli.stderr()).toEqual({ code: 0, signal: null });
  await leavesNothing(nextHelpers);
});

it('Ctrl-C while it is still starting ends it with code 0 as well, quietly', async () => {
  const cli = startDevnet(['--port', '0', '--data', dataDir]);
  await cli.printed(/^starting Postgres$/m);
  const helpers = descendantsOf(cli.pid);
  expect(helpers.length).toBeGreaterThanOrEqual(2);
  cli.interrupt();
  expect(await cli.exited, cli.stderr()).toEqual({ code: 0, signal: null });
  expect(cli.stderr()).toBe('');
  await leavesNothing(helpers);
});

it('a lane that is gone takes the database, the cold tier and the results of its committees with it', async () => {
  const files = coldFiles();
  expect(files.length).toBeGreaterThan(0);
  rmSync(join(dataDir, 'lane.json'));
  const { cli, apiUrl } = await startDev('--for', '3s', '--no-executor');
  const helpers = helpersOf(cli);
  expect(cli.stdout()).toContain('deploying the CCIP contracts on both');
  // files are never written to: one that is still there is one of the old lane
  const present = new Set(coldFiles());
  expect(files.filter((name) => present.has(name))).toEqual([]);
  const listed = await listMessages(apiUrl);
  expect([...listed.keys()].filter((messageId) => left.has(messageId))).toEqual([]);
  const kept = readFileSync(join(dataDir, 'committees/first.jsonl'), 'utf8');
  expect([...left.keys()].filter((messageId) => kept.includes(messageId))).toEqual([]);
  await endsWell(cli, helpers, 'verified');
});
