import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type AggregatorServer, startAggregatorServer } from '../../scripts/devnet/aggregator/aggregator-server.js';
import type { Hex } from '../../src/core/hex.js';
import { ANNOUNCEMENT } from '../support/discovery/discovery.js';
import { endAllCli, ROOT, runCli, startCli } from '../support/e2e/cli.js';
import { get, type ListedResult, listMessages, resultsOfIdIn } from '../support/e2e/http.js';
import { e2eDirectory, serviceOf } from '../support/e2e/service.js';
import { eventually } from '../support/eventually.js';
import { startVerifierServer, type VerifierServer } from '../support/indexer/verifier-server.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';
import { createRecordMaker } from '../support/records.js';

const FIXTURES = join(ROOT, 'test/fixtures/go-indexer');
const MESSAGES = 150;

/** The credentials of `secrets.toml`: of the discovery and of the verifier. */
const CLIENTS = new Map([
  ['5a1e7d9c-4b3f-4a88-9c10-2f6b8d0e1a23', '8f1d0c5b7a3e42961c0fd1a5b6e7c8d9'.repeat(2)],
  ['5a1e7d9c-4b3f-4a88-9c10-2f6b8d0e1a24', '9e1d0c5b7a3e42961c0fd1a5b6e7c8d98f1d0c5b7a3e42961c0fd1a5b6e7c8d9'],
]);

const directory = e2eDirectory();
const make = createRecordMaker(23);
let database: TestDatabase;
let tokens: VerifierServer;
const aggregators: AggregatorServer[] = [];

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  tokens = await startVerifierServer('/v1');
});
afterEach(endAllCli);
afterAll(async () => {
  for (const aggregator of aggregators) await aggregator.close();
  await tokens.close();
  await database.drop();
  directory.remove();
});

async function aggregatorFor(clients: ReadonlyMap<string, string>): Promise<AggregatorServer> {
  const aggregator = await startAggregatorServer({ clients, nowMs: () => Date.now() });
  aggregators.push(aggregator);
  return aggregator;
}

/** A fixture with the addresses of this test, and nothing else of it changed. */
function placed(fixture: string, addresses: Readonly<Record<string, string>>): string {
  let text = readFileSync(join(FIXTURES, fixture), 'utf8');
  for (const [written, used] of Object.entries(addresses)) {
    expect(text).toContain(written);
    text = text.replaceAll(written, used);
  }
  const file = join(directory.path, fixture);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

/** Messages of two CCVs: an aggregator announces them and has the results of the first, a REST verifier those of the second. */
function publish(ccvs: readonly [Hex, Hex], discovery: AggregatorServer, committee: AggregatorServer): readonly Hex[] {
  return Array.from({ length: MESSAGES }, () => {
    const message = make.message({ ccvs });
    discovery.publish(make.result(message, 0, ANNOUNCEMENT));
    committee.publish(make.result(message, 0));
    tokens.add(make.result(message, 1));
    return message.messageId;
  });
}

/** Starts the program as the operator of the Go indexer does, until it serves both results of each message. */
async function expectIndexed(
  environment: Readonly<Record<string, string>>,
  ids: readonly Hex[],
  names: readonly string[],
): Promise<void> {
  const settings = {
    ...{ CCV_INDEXER__API__ListenAddress: '127.0.0.1', CCV_INDEXER__API__ListenPort: '0' },
    ...{ CCV_INDEXER__Admin__ListenPort: '0', CCV_INDEXER__LogLevel: 'info', CCV_INDEXER__Log__Format: 'json' },
    ...environment,
  };
  const checked = await runCli(['config', 'check', '--explain'], settings);
  expect(checked, checked.stdout + checked.stderr).toMatchObject({ code: 0 });
  const service = await serviceOf(startCli(['start', '--migrate'], settings));
  await eventually('every message to be verified', async () => {
    const listed = [...(await listMessages(service.apiUrl)).values()];
    const verified = listed.filter(({ metadata }) => metadata.status === 1).length;
    return verified === ids.length || { listed: listed.length, verified };
  });
  expect([...(await listMessages(service.apiUrl)).keys()].sort()).toEqual([...ids].sort());
  const found = resultsOfIdIn((await get(`${service.apiUrl}/v1/verifierresults/${ids[0]}`)).text);
  expect(found.map(nameOf).sort()).toEqual([...names].sort());
  expect(await service.cli.stop()).toEqual({ code: 0, signal: null });
}

const nameOf = ({ metadata }: ListedResult) => (metadata as { verifierName?: string }).verifierName;

it("a worker runs with the Go indexer's example configuration", async () => {
  const aggregator = await aggregatorFor(new Map());
  const ids = publish([`0x${'11'.repeat(20)}`, `0x${'22'.repeat(20)}`], aggregator, aggregator);
  const file = placed('example.toml', {
    'aggregator:50051': aggregator.address,
    'http://verifier:8080/v1': tokens.baseUrl,
    'postgresql://indexer:a-long-pass@indexer-db:5432/indexer?sslmode=disable': database.uri,
  });
  const environment = {
    INDEXER_CONFIG_PATH: file,
    CCV_INDEXER__Namespace: 'example',
    // the tests' aggregator is without TLS, and a busy machine takes longer than the example's 5 ms
    CCV_INDEXER__Discoveries__0__InsecureConnection: 'true',
    CCV_INDEXER__Verifier__0__InsecureConnection: 'true',
    CCV_INDEXER__Discoveries__0__Timeout: '60000',
  };
  await expectIndexed(environment, ids, [aggregator.address, tokens.baseUrl]);
});

it('a worker runs with every key, the secrets and the generated file of the Go indexer', async () => {
  const [first, second] = [await aggregatorFor(CLIENTS), await aggregatorFor(new Map())];
  const ids = publish([`0x${'33'.repeat(20)}`, `0x${'44'.repeat(20)}`], second, first);
  placed('generated.toml', {});
  const file = placed('every-key.toml', {
    'aggregator-1:50051': first.address,
    'aggregator-2:50051': second.address,
    'http://tokens:8100/v1': tokens.baseUrl,
  });
  const secrets = placed('secrets.toml', {
    'postgresql://indexer:another-long-pass@indexer-db:5432/indexer?sslmode=disable': database.uri,
  });
  const environment = {
    INDEXER_CONFIG_PATH: file,
    INDEXER_SECRETS_PATH: secrets,
    CCV_INDEXER__Namespace: 'every_key',
    CCV_INDEXER__Discoveries__1__InsecureConnection: 'true',
  };
  await expectIndexed(environment, ids, ['Committee (Primary)', 'Tokens']);
});
