import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createJsonRpc } from '../../scripts/devnet/anvil/json-rpc.js';
import { createCommon } from '../../src/core/common.js';
import { bytesToHex } from '../../src/core/hex.js';
import { parseExactJson } from '../../src/protocol/exact-json.js';
import { messageJson } from '../../src/protocol/message-json.js';
import { createDeltaLog } from '../../src/storage/cold/delta/delta-log.js';
import { checkpointName, commitName } from '../../src/storage/cold/delta/paths.js';
import { createDirectoryObjectStore } from '../../src/storage/cold/object-store/directory/directory-store.js';
import type { ObjectStore } from '../../src/storage/cold/object-store/object-store.js';
import type { S3ObjectStore } from '../../src/storage/cold/object-store/s3/s3-store.js';
import { loadZstd } from '../../src/storage/cold/parquet/zstd.js';
import { TABLE_NAMES, type TableName } from '../../src/storage/cold/rows/table-name.js';
import { type DuckDBRow, openDuckDB, type TestDuckDB } from '../support/cold/duckdb.js';
import {
  coldHistory,
  copyNamespace,
  encodedOf,
  MESSAGES_SQL,
  RESULTS_SQL,
  shownOf,
} from '../support/cold/duckdb-cold.js';
import { expectWholeTruth, lastMs, listed } from '../support/e2e/answers.js';
import { endAllCli, runCli } from '../support/e2e/cli.js';
import { type EmittedChain, startEmittedChain } from '../support/e2e/emitted-chain.js';
import { type History, historyOf, keepHistory } from '../support/e2e/history.js';
import { body, listMessages, listResults } from '../support/e2e/http.js';
import { e2eDirectory, type RunningService, writeConfig } from '../support/e2e/service.js';
import { untilColdHoldsAll } from '../support/e2e/tier-state.js';
import { bucketTable, startOnClock, threeTiers } from '../support/e2e/tiers.js';
import { eventually } from '../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';
import { createTestS3Store } from '../support/s3/object-store.js';
import { newBucketName, type S3TestServer } from '../support/s3/server.js';
import { sharedS3Server } from '../support/s3/server-fixture.js';

const NAMESPACE = 'tables';
const zstd = await loadZstd();

const directory = e2eDirectory();
let server: S3TestServer;
let store: S3ObjectStore;
let database: TestDatabase;
let chain: EmittedChain;
let duckdb: TestDuckDB;
let configFile: string;

beforeAll(async () => {
  server = await sharedS3Server();
  const bucket = newBucketName();
  store = await createTestS3Store(server, { bucket });
  database = await createTestDatabase({ migrated: false });
  chain = await startEmittedChain(31);
  duckdb = await openDuckDB();
  const config = threeTiers({
    namespace: NAMESPACE,
    uri: database.uri,
    s3: bucketTable(server, bucket),
    chains: [chain.chainSection({ PollInterval: 50 })],
    verifiers: [chain.verifierSection()],
  });
  configFile = writeConfig(directory.path, 'tables.toml', config);
  const { code, stderr } = await runCli(['migrate', 'up', '--config', configFile]);
  expect(code, stderr).toBe(0);
  await keepHistory(database, NAMESPACE);
});
afterEach(endAllCli);
afterAll(async () => {
  duckdb.close();
  await chain.close();
  await database.drop();
  await store.close();
  directory.remove();
});

/** Until so many messages are listed and verified, and so many are orphaned. */
async function untilStored(verified: number, orphaned: number): Promise<History> {
  let history: History = { messages: [], results: [] };
  await eventually('everything to be stored and verified', async () => {
    history = await historyOf(database, NAMESPACE);
    const done = listed(history.messages).filter(({ status }) => status === 'success').length;
    const gone = history.messages.length - listed(history.messages).length;
    return (done === verified && gone === orphaned) || `${done} of ${verified} verified, ${gone} of ${orphaned} gone`;
  });
  return history;
}

it('DuckDB reads from the tables what the query API answers, row by row, after updates, a reorg, a return and pruning', async () => {
  // stored two minutes ago, as that process saw it
  const past = await startOnClock('start', configFile, { sinceMs: Date.now(), behindMs: 120_000, speed: 1 });
  for (let block = 0; block < 12; block += 1) await chain.block(10);
  await untilStored(120, 0);
  await untilColdHoldsAll(past.adminUrl, database, NAMESPACE);

  // the last two blocks go, and what was in one of them comes back later
  const rpc = createJsonRpc(chain.url);
  const block = (await rpc('eth_getBlockByNumber', ['latest', true])) as {
    transactions: { from: string; to: string; input: string }[];
  };
  await rpc('anvil_reorg', [2, []]);
  await chain.mine(1);
  await untilStored(100, 20);
  await untilColdHoldsAll(past.adminUrl, database, NAMESPACE);
  for (const { from, to, input } of block.transactions)
    await rpc('eth_sendTransaction', [{ from, to, data: input, gas: '0x200000' }]);
  await chain.mine(1);
  await untilStored(110, 10);
  await chain.block(5);
  await chain.mine(8);
  const history = await untilStored(115, 10);
  expect(await past.cli.stop()).toEqual({ code: 0, signal: null });

  const present = await startOnClock('start', configFile, null);
  await eventually('everything to be pruned', async () => {
    const { rows } = await database.sql(`SELECT count(*)::int AS n FROM ${NAMESPACE}.verifier_results`);
    return rows[0]?.n === 0 || rows;
  });
  await untilColdHoldsAll(present.adminUrl, database, NAMESPACE);
  await expectWholeTruth(present.apiUrl, history);

  const folder = await copyNamespace(store, NAMESPACE, join(directory.path, 'copy'));
  expect(await coldHistory(duckdb, folder)).toEqual(shownOf(history));
  await sameFiles(folder);

  const [first, last] = [history.messages[0]!.ingestionMs, lastMs(history)];
  const third = Math.floor((last - first) / 3);
  for (const [startMs, endMs] of [
    [0, last],
    [first, first],
    [first + third, last - third],
    [last - third, last],
  ] as const) {
    const query = `start=${startMs}&end=${endMs}&limit=1000`;
    const messages = await duckdb.rows(MESSAGES_SQL(startMs, endMs));
    expect([...(await listMessages(present.apiUrl, query))]).toEqual(messages.map(messageAnswer));
    const results = await duckdb.rows(RESULTS_SQL(startMs, endMs));
    const answered = await listResults(present.apiUrl, query);
    expect([...answered.values()].flat()).toEqual(results.map(resultAnswer));
  }
  const [counts] = await duckdb.rows(
    `SELECT count(*) AS listed,
       (SELECT count(*) FROM read_parquet(getvariable('ledger_files')) WHERE kind = 'message') AS orphaned FROM messages`,
  );
  console.log(
    `messages in DuckDB: ${JSON.stringify(counts, (_name, value) => (typeof value === 'bigint' ? Number(value) : value))}`,
  );
  expect(counts).toMatchObject({ listed: 115n });
  const [results] = await duckdb.rows('SELECT count(*) AS listed FROM verifier_results');
  expect(await countsOf(present)).toEqual({ messages: counts?.['listed'], verifierResults: results?.['listed'] });
  expect(await present.cli.stop()).toEqual({ code: 0, signal: null });

  expect(await coldHistory(duckdb, await checkpointed())).toEqual(shownOf(history));
});

/** What the product itself counts. */
async function countsOf({ adminUrl }: RunningService) {
  const { counts } = JSON.parse(await body(`${adminUrl}/status`)) as {
    counts: { messages: number; verifierResults: number };
  };
  return { messages: BigInt(counts.messages), verifierResults: BigInt(counts.verifierResults) };
}

/** What the query API must say of a row of `MESSAGES_SQL`. */
function messageAnswer(row: DuckDBRow): unknown {
  const message = decoded(row);
  expect(message).toMatchObject(fixedFields(row));
  const metadata = { status: row['status_code'], ingestionTimestamp: row['ingestion_timestamp'] };
  return [row['message_id'], { message, metadata, messageCCVAddresses: row['message_ccv_addresses'] }];
}

/** What the query API must say of a row of `RESULTS_SQL`. */
function resultAnswer(row: DuckDBRow): unknown {
  return {
    verifierResult: {
      message_id: row['message_id'],
      message: decoded(row),
      message_ccv_addresses: row['message_ccv_addresses'],
      message_executor_address: row['message_executor_address'],
      ccv_data: bytesToHex(row['ccv_data'] as Uint8Array),
      timestamp: row['attestation_timestamp'],
      verifier_source_address: row['verifier_source_address'],
      verifier_dest_address: row['verifier_dest_address'],
    },
    metadata: {
      verifierName: row['verifier_name'],
      attestationTimestamp: row['attestation_timestamp'],
      ingestionTimestamp: row['ingestion_timestamp'],
    },
  };
}

function decoded(row: DuckDBRow): unknown {
  return parseExactJson(messageJson(encodedOf(row)));
}

/** What SQL alone can say of the message. */
function fixedFields(row: DuckDBRow) {
  return parseExactJson(
    `{"source_chain_selector":${row['source_chain_selector']},"dest_chain_selector":${row['dest_chain_selector']},"sequence_number":${row['sequence_number']}}`,
  ) as object;
}

/** What SQL finds in the logs of a copy is what our own reader of them finds there. */
async function sameFiles(folder: string): Promise<void> {
  const copy = createDirectoryObjectStore({ directory: dirname(folder), common: createCommon() });
  const { files } = (await logOf('messages', copy).read())!;
  await copy.close();
  const found = await duckdb.rows(`SELECT unnest(getvariable('message_files')) AS file`);
  expect(found.map(({ file }) => file)).toEqual([...files.keys()].map((path) => join(folder, 'messages', path)).sort());
}

/** As after a week: checkpoints stand for all but the last commit of each log. Returns the folder of a copy. */
async function checkpointed(): Promise<string> {
  const folder = await copyNamespace(store, NAMESPACE, join(directory.path, 'checkpointed'));
  for (const table of TABLE_NAMES) {
    const log = logOf(table);
    const snapshot = (await log.read())!;
    await log.checkpoint(snapshot);
    const logFolder = join(folder, table, '_delta_log');
    for (let version = 0; version < snapshot.version; version += 1) await rm(join(logFolder, commitName(version)));
    const name = checkpointName(snapshot.version);
    await writeFile(join(logFolder, name), await store.get(log.key(`_delta_log/${name}`)));
  }
  return folder;
}

function logOf(table: TableName, from: ObjectStore = store) {
  return createDeltaLog({ store: from, root: `${NAMESPACE}/${table}`, zstd, table, common: createCommon() });
}
