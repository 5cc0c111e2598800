import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TomlTable } from 'smol-toml';
import { encodeFunctionData } from 'viem';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createJsonRpc } from '../../../scripts/devnet/anvil/json-rpc.js';
import { createExecutor } from '../../../scripts/devnet/lane/executor.js';
import { devnetAccount } from '../../../scripts/devnet/lane/keys.js';
import { type MessageKind, messageCall } from '../../../scripts/devnet/lane/message-kinds.js';
import { ensureMigrated } from '../../../src/app/migrations.js';
import { openReplaySource } from '../../../src/app/open-replay.js';
import { type Service, startService } from '../../../src/app/service.js';
import { parseConfig } from '../../../src/config/load.js';
import type { Config } from '../../../src/config/schema/schema.js';
import { type Common, createCommon } from '../../../src/core/common.js';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import { seededRandom } from '../../../src/core/random.js';
import { createShutdown, type Shutdown } from '../../../src/core/shutdown.js';
import { executionIdentity, resultIdentity } from '../../../src/model/identity.js';
import type { StoredExecution, StoredMessage, StoredVerifierResult } from '../../../src/model/records.js';
import { CCVDataNotFoundError } from '../../../src/model/storage-errors.js';
import type { Storage } from '../../../src/storage/storage.js';
import { common, library, startTestLane, type TestLane } from '../../support/devnet/fixture.js';
import { body } from '../../support/e2e/http.js';
import { chainSections, startCommittees, verifierSections } from '../../support/e2e/lane.js';
import { runHere } from '../../support/e2e/run-here.js';
import { e2eDirectory, hotAndWarm, writeConfig } from '../../support/e2e/service.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';

/** Calls the contract in the first 20 bytes of its calldata with the rest of them. */
const FORWARDER: Hex = `0x${'f0'.repeat(20)}`;
const FORWARDER_CODE: Hex = '0x6014360380601459375f5f825f5f5f3560601c5af100';

const directory = e2eDirectory();
let lane: TestLane;
const databases: TestDatabase[] = [];
const shutdowns: Shutdown[] = [];

beforeAll(async () => {
  lane = await startTestLane();
});
afterAll(async () => {
  for (const shutdown of shutdowns) await shutdown.close();
  await lane.close();
  for (const database of databases) await database.drop();
  directory.remove();
});

/** An index of its own in a new database. */
async function startIndex(verifiers: Parameters<typeof hotAndWarm>[0]['verifiers'], recover: string) {
  const database = await createTestDatabase({ migrated: false });
  databases.push(database);
  const sections = chainSections(lane, { RecoverVerifications: recover }).map((section, index) => ({
    ...section,
    OffRamp: lane.deployment.chains[index]!.addresses.offRamp,
  }));
  const options = { namespace: 'rebuild', uri: database.uri, chains: sections, verifiers: verifiers ?? [] };
  const S3 = { Directory: join(directory.path, recover), FlushInterval: '1s' };
  const table = withCold(hotAndWarm(options), { Name: 'cold', Type: 's3', S3 });
  const config = parseConfig(table, 'rebuild.toml');
  await ensureMigrated(config, common, { apply: true, use: 'write' });
  const own = createCommon();
  const shutdown = createShutdown({ log: own.log });
  shutdowns.push(shutdown);
  const service = await startService({ config, role: 'both', common: own, shutdown });
  return { config, file: writeConfig(directory.path, `${recover}.toml`, table), service, shutdown, common: own };
}
type Index = Awaited<ReturnType<typeof startIndex>>;

/** The tiers of `table` and a cold one. */
function withCold(table: TomlTable, cold: TomlTable): TomlTable {
  const storage = table['Storage'] as { Sink: { Storages: TomlTable[] } };
  return { ...table, Storage: { ...storage, Sink: { Storages: [...storage.Sink.Storages, cold] } } };
}

/** Everything that an index holds. */
async function recordsOf({ sink }: Service) {
  const { items: messages } = await sink.queryMessages({ limit: 1_000 });
  const results = await Promise.all(messages.map(({ messageId }) => resultsOf(sink, messageId)));
  const executions = await Promise.all(messages.map(({ messageId }) => sink.getExecutions(messageId)));
  return { messages, results: results.flat(), executions: executions.flat() };
}
type Records = Awaited<ReturnType<typeof recordsOf>>;

async function resultsOf(storage: Storage, messageId: Hex): Promise<readonly StoredVerifierResult[]> {
  try {
    return await storage.getCCVData(messageId);
  } catch (thrown) {
    if (thrown instanceof CCVDataNotFoundError) return [];
    throw thrown;
  }
}

/** Sends messages from one chain to the other. */
async function send(from: 0 | 1, ...kinds: readonly MessageKind[]): Promise<void> {
  const [source, dest] = [lane.deployment.chains[from]!, lane.deployment.chains[1 - from]!];
  const rpc = createJsonRpc(lane.chains[from].url);
  const sender = devnetAccount('sender');
  let nonce = Number(await rpc('eth_getTransactionCount', [sender.address, 'pending']));
  for (const kind of kinds) {
    const call = messageCall(library, source, dest, kind, seededRandom(nonce + 100 * from));
    const fees = { maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 1n };
    const signed = { type: 'eip1559', chainId: source.chainId, nonce, ...fees, ...call } as const;
    await rpc('eth_sendRawTransaction', [await sender.signTransaction(signed)]);
    nonce += 1;
  }
}

/** Executes a message of chain A through a contract, with a proof too many that nobody asked for. */
async function executeThroughContract(message: StoredMessage, results: readonly StoredVerifierResult[]): Promise<void> {
  const dest = lane.deployment.chains[1];
  const rpc = createJsonRpc(lane.chains[1].url);
  const other = Object.values(dest.addresses.ccvs).find((ccv) => ccv !== results[0]!.verifierDestAddress);
  const data = encodeFunctionData({
    abi: library.artifact('offramp').abi,
    functionName: 'execute',
    args: [
      bytesToHex(message.encodedMessage),
      [...results.map((result) => result.verifierDestAddress), other],
      [...results.map((result) => bytesToHex(result.ccvData)), '0x1122334455667788'],
      0,
    ],
  });
  await rpc('anvil_setCode', [FORWARDER, FORWARDER_CODE]);
  const [from] = (await rpc('eth_accounts')) as [Hex];
  const through: Hex = `0x${dest.addresses.offRamp.slice(2)}${data.slice(2)}`;
  await rpc('eth_sendTransaction', [{ from, to: FORWARDER, data: through, gas: '0x400000' }]);
}

const bytesOfMessage = ({
  messageId,
  encodedMessage,
  messageCCVAddresses,
  messageExecutorAddress,
  origin,
}: StoredMessage) =>
  JSON.stringify([messageId, bytesToHex(encodedMessage), messageCCVAddresses, messageExecutorAddress, origin], numbers);
const bytesOfResult = (result: StoredVerifierResult) =>
  JSON.stringify([resultIdentity(result), bytesToHex(result.ccvData), bytesToHex(result.encodedMessage)]);
const bytesOfExecution = ({ ingestionMs: _, position: __, returnData, ...execution }: StoredExecution) =>
  JSON.stringify([execution, bytesToHex(returnData)], numbers);
const numbers = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);

interface Compared<T> {
  readonly all: number;
  readonly back: number;
  readonly lost: readonly T[];
  readonly differs: readonly T[];
  /** Records that the first index did not have. */
  readonly extra: readonly T[];
}

/** Record by record. */
function compare<T>(
  before: readonly T[],
  after: readonly T[],
  identity: (record: T) => string,
  bytes: (record: T) => string,
): Compared<T> {
  const had = new Set(before.map(identity));
  const found = new Map(after.map((record) => [identity(record), bytes(record)]));
  const lost = before.filter((record) => !found.has(identity(record)));
  const differs = before.filter((record) => (found.get(identity(record)) ?? bytes(record)) !== bytes(record));
  const extra = after.filter((record) => !had.has(identity(record)));
  return { all: before.length, back: before.length - lost.length - differs.length, lost, differs, extra };
}

function compareAll(before: Records, after: Records) {
  return {
    messages: compare(before.messages, after.messages, ({ messageId }) => messageId, bytesOfMessage),
    executions: compare(before.executions, after.executions, executionIdentity, bytesOfExecution),
    results: compare(before.results, after.results, resultIdentity, bytesOfResult),
  };
}

/** Why a verification did not come back. */
function reasonOf({ messageId }: StoredVerifierResult, { executions }: Records): string {
  return executions.some((execution) => execution.messageId === messageId)
    ? 'its CCV was the choice of the receiver, and nothing tells its address on the source chain'
    : 'its message is not executed: no call carries it';
}

function show(what: string, before: Records, { messages, executions, results }: ReturnType<typeof compareAll>): void {
  const rows = Object.entries({ messages, executions, 'verifier results': results }).map(
    ([kind, { all, back, differs }]) => `  ${kind}: ${back} of ${all} came back, ${differs.length} with other bytes`,
  );
  const whys = results.lost.map((result) => reasonOf(result, before));
  const counts = [...new Set(whys)].map((why) => `    ${whys.filter((each) => each === why).length} not: ${why}`);
  process.stdout.write(`${[what, ...rows, ...counts].join('\n')}\n`);
}

/** What came of recovering, added up over the chains. */
async function outcomes({ metrics }: Pick<Common, 'metrics'>): Promise<Readonly<Record<string, number>>> {
  const values = (await metrics.getSingleMetric('indexer_source_recovered_verifications_total')?.get())?.values ?? [];
  const sums: Record<string, number> = {};
  for (const { labels, value } of values) {
    const outcome = String(labels['outcome']);
    sums[outcome] = (sums[outcome] ?? 0) + value;
  }
  return sums;
}

/** Reads every final block of a chain again, as `replay chain` does. */
async function replay(index: Index, config: Config, chain: string): Promise<void> {
  const { service, common: own, shutdown } = index;
  const source = service.indexer?.status().chains.find(({ name }) => name === chain);
  const to = source?.watcher.cursor?.height ?? 0;
  const replayed = await openReplaySource(
    { kind: 'chain', chain, from: 0, to },
    { config, storage: service.sink, limits: { rate: 1_000, batch: 100 }, common: own, shutdown },
  );
  for await (const { batch } of replayed.steps(null, shutdown.signal)) if (batch) await service.sink.insertBatch(batch);
}

it('an index whose storages are gone is rebuilt from the two chains alone', async () => {
  const committees = await startCommittees(lane);
  const first = await startIndex(verifierSections(committees), 'direct');
  const { chains, deployment } = lane;
  const apiUrls = [first.service.apiUrl ?? ''];
  const executor = createExecutor({ common, apiUrls, chains, deployment, library, pollIntervalMs: 100 });
  await send(0, 'data', 'twoCCVs', 'token', 'bigData', 'fastDepth', 'twoCCVs');
  await send(1, 'data', 'twoCCVs', 'tokenAndData');
  await eventually('nine messages to be executed', () => executor.executedCount() === 9);
  await executor.close();
  await send(0, 'data', 'data');
  await eventually('two more to be verified', async () => {
    const { messages } = await recordsOf(first.service);
    return messages.length === 11 && messages.every(({ status }) => status === 'success');
  });
  const [tenth] = (await recordsOf(first.service)).messages.slice(-2);
  await executeThroughContract(tenth!, await resultsOf(first.service.sink, tenth!.messageId));
  await eventually('the tenth execution', async () => (await recordsOf(first.service)).executions.length === 10);
  // where verifiers have answered there is nothing to recover, and no conflict
  await eventually('every call to be looked at', async () => (await outcomes(first.common))['known'] === 10);
  expect(await first.service.sink.queryConflicts({ afterPosition: 0n, limit: 9 })).toEqual([]);
  const before = await recordsOf(first.service);
  expect([before.messages.length, before.executions.length, before.results.length]).toEqual([11, 10, 14]);
  await first.shutdown.close();
  for (const committee of committees) await committee.close();
  await databases.shift()?.drop();
  rmSync(join(directory.path, 'direct'), { recursive: true });

  // no verifier and no aggregator from here on
  const second = await startIndex([], 'trace');
  await eventually('every call to be looked at', async () => {
    const sums = await outcomes(second.common);
    return Object.values(sums).reduce((sum, count) => sum + count, 0) >= 13 || sums;
  });
  const rebuilt = compareAll(before, await recordsOf(second.service));
  show('rebuilt from the chains', before, rebuilt);
  expect(rebuilt.messages).toMatchObject({ back: 11, lost: [], differs: [], extra: [] });
  expect(rebuilt.executions).toMatchObject({ back: 10, lost: [], differs: [], extra: [] });
  // the proof too many of the tenth is not among them
  expect(rebuilt.results).toMatchObject({ back: 10, differs: [], extra: [] });
  expect(await outcomes(second.common)).toEqual({ recovered: 10, unmatched: 3 });

  await expectShown(second, before.executions[0]!);

  // an operator who knows both addresses of each CCV has the blocks read again
  const config = withCCVs(second.config);
  for (const { Name } of config.Chain) await replay(second, config, Name);
  const completed = compareAll(before, await recordsOf(second.service));
  show('and with [[Chain.CCVs]] and a replay', before, completed);
  expect(completed.results).toMatchObject({ back: 13, differs: [], extra: [] });
  expect(completed.results.lost.map((result) => reasonOf(result, before))).toEqual([
    'its message is not executed: no call carries it',
  ]);
  await eventually('the verified messages to be done', async () => {
    const { messages } = await recordsOf(second.service);
    return messages.filter(({ status }) => status === 'success').length === 10;
  });
  expect(await second.service.sink.queryConflicts({ afterPosition: 0n, limit: 9 })).toEqual([]);
});

/** Where an operator looks for the executions of a message. */
async function expectShown({ service, file }: Index, execution: StoredExecution): Promise<void> {
  const { messageId, place, offRamp } = execution;
  const page = JSON.parse(await body(`${service.adminUrl}/messages/${messageId}`)) as { executions: unknown };
  expect(page.executions).toMatchObject([{ state: 'success', offRamp, orphaned: false, returnData: '0x' }]);
  const { stdout } = await runHere(['inspect', messageId, '-c', file, '--limit', '10m']);
  expect(stdout).toContain(`success: block ${place.blockNumber} ${place.blockHash}, log ${place.logIndex}`);
  const json = await runHere(['inspect', messageId, '-c', file, '--limit', '10m', '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({
    executions: { executions: [{ state: 'success', returnData: '0x' }] },
  });
}

/** Each chain's CCVs with their addresses on the other one. */
function withCCVs(config: Config): Config {
  const Chain = config.Chain.map((section, index) => {
    const [dest, source] = [lane.deployment.chains[index]!, lane.deployment.chains[1 - index]!];
    const CCVs = Object.entries(dest.addresses.ccvs).map(([committee, Address]) => ({
      Address,
      Sources: [source.addresses.ccvs[committee]!],
    }));
    return { ...section, CCVs };
  });
  return { ...config, Chain };
}
