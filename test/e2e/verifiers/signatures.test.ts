import { privateKeyToAccount } from 'viem/accounts';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type AggregatorServer, startAggregatorServer } from '../../../scripts/devnet/aggregator/aggregator-server.js';
import type { Hex } from '../../../src/core/hex.js';
import { bytesToHex } from '../../../src/core/hex.js';
import { keccak256 } from '../../../src/protocol/keccak.js';
import { COMMITTEE_TAG, signCommitteeProof } from '../../../src/protocol/signatures.js';
import { type CommitteeChain, startCommitteeChain } from '../../support/chain/committee-chain.js';
import { ANNOUNCEMENT } from '../../support/discovery/discovery.js';
import { endAllCli, runCli } from '../../support/e2e/cli.js';
import { get } from '../../support/e2e/http.js';
import { e2eDirectory, hotAndWarm, startServiceProcess, writeConfig } from '../../support/e2e/service.js';
import { eventually } from '../../support/eventually.js';
import { startVerifierServer, type VerifierServer } from '../../support/indexer/verifier-server.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

const SOURCE = 3_379_446_385_462_418_246n;
const DEST = 7_759_470_850_252_068_959n;
const [KEY, STRANGER] = ['member', 'stranger'].map((name) => keccak256(Buffer.from(name))) as [Hex, Hex];

const make = createRecordMaker(12);
const sourceCCV = make.hex(20);
const directory = e2eDirectory();
let chain: CommitteeChain;
let database: TestDatabase;
let verifier: VerifierServer;
let aggregator: AggregatorServer;

beforeAll(async () => {
  [chain, database, verifier, aggregator] = await Promise.all([
    startCommitteeChain(),
    createTestDatabase(),
    startVerifierServer(),
    startAggregatorServer({ nowMs: () => Date.now() }),
  ]);
});
afterEach(endAllCli);
afterAll(async () => {
  await aggregator?.close();
  await verifier?.close();
  await database?.drop();
  await chain?.stop();
  directory.remove();
});

it('a worker that requires signatures serves none but a good result, from a verifier, an aggregator and a replay', async () => {
  const contract = await chain.deployVerifier(COMMITTEE_TAG);
  const { proxy: dest } = await chain.deployResolver({ [COMMITTEE_TAG]: contract });
  await chain.setQuorum(contract, SOURCE, { signers: [privateKeyToAccount(KEY).address], threshold: 1 });
  const message = make.message({ sourceChainSelector: SOURCE, destChainSelector: DEST, ccvs: [sourceCCV] });
  const { messageId } = message;
  const by = async (key: Hex) => {
    const ccvData = await signCommitteeProof(COMMITTEE_TAG, messageId, [key]);
    return make.result(message, 0, { dest, ccvData });
  };
  const [bad, good] = [await by(STRANGER), await by(KEY)];
  aggregator.publish(bad);
  aggregator.publish(make.result(message, 0, ANNOUNCEMENT));
  verifier.add(bad);

  const config = hotAndWarm({
    namespace: 'ccv',
    uri: database.uri,
    chains: [{ Name: 'dest', Selector: String(DEST), RpcUrls: [chain.url], OnRamp: make.hex(20) }],
    verifiers: [
      {
        ...{ Type: 'rest', Name: 'committee', IssuerAddresses: [sourceCCV], BaseURL: verifier.baseUrl },
        ...{ MaxBatchWaitTime: 10, VerifySignatures: 'require' },
      },
    ],
  });
  const Discoveries = [
    { Name: 'agg', Address: aggregator.address, InsecureConnection: true, PollInterval: 100, Timeout: 60_000 },
  ];
  const file = writeConfig(directory.path, 'signatures.toml', { ...config, Discoveries });
  const service = await startServiceProcess('start', file);
  const results = `${service.apiUrl}/v1/verifierresults/${messageId}`;
  const quarantine = async () => JSON.parse((await get(`${service.adminUrl}/quarantine`)).text) as unknown;

  // of the aggregator, and of the verifier that is asked again and again
  await eventually('both are in quarantine', async () => {
    const text = JSON.stringify(await quarantine());
    return text.includes('discovery:agg') && text.includes('verifier:committee');
  });
  const asked = verifier.requests.length;
  await eventually('it is asked again', () => verifier.requests.length > asked + 1);
  expect((await get(results)).status).toBe(404);
  const replayed = await runCli(['replay', 'discovery', '--since', '0', '-c', file, '--json']);
  expect(replayed.code, replayed.stderr).toBe(0);
  expect((await get(results)).status).toBe(404);
  const { text: metrics } = await get(`${service.adminUrl}/metrics`);
  expect(metrics).toMatch(/indexer_signature_verdicts_total\{verifier="committee",verdict="invalid"\} [1-9]/);

  verifier.add(good);
  await eventually('the good result is served', async () => (await get(results)).status === 200);
  const { text } = await get(results);
  expect(text).toContain(`"ccv_data":"${bytesToHex(good.ccvData)}"`);
  expect(text).not.toContain(bytesToHex(bad.ccvData));
  const { rows } = await database.sql('SELECT verdict, verdict_block FROM ccv.verifier_results');
  expect(rows).toEqual([{ verdict: 0, verdict_block: expect.stringMatching(/^[1-9]/) }]);
  expect((await get(`${service.adminUrl}/conflicts`)).text).not.toContain(messageId);
});
