import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { privateKeyToAccount } from 'viem/accounts';
import { it } from 'vitest';
import {
  type AggregatorServer,
  startAggregatorServer,
} from '../../../../scripts/devnet/aggregator/aggregator-server.js';
import type { Hex } from '../../../../src/core/hex.js';
import type { NewMessage } from '../../../../src/model/records.js';
import { keccak256 } from '../../../../src/protocol/keccak.js';
import { COMMITTEE_TAG, signCommitteeProof } from '../../../../src/protocol/signatures.js';
import { startCommitteeChain } from '../../../support/chain/committee-chain.js';
import { ANNOUNCEMENT } from '../../../support/discovery/discovery.js';
import { partsFixture } from '../../../support/e2e/parts-fixture.js';
import { hotAndWarm, startServiceProcess, writeConfig } from '../../../support/e2e/service.js';
import {
  answerJson,
  resultJson,
  startVerifierServer,
  type VerifierServer,
} from '../../../support/indexer/verifier-server.js';
import { createTestDatabase } from '../../../support/postgres/postgres.js';
import { watchAlerts } from '../../../support/prometheus/alerts.js';
import { createRecordMaker, SELECTORS } from '../../../support/records.js';
import { shortIdentityIn } from '../../../support/short-identity.js';

const DEST = 7_759_470_850_252_068_959n;
const AWAY = SELECTORS.mid;
const [KEY, STRANGER] = ['member', 'stranger'].map((name) => keccak256(Buffer.from(name))) as [Hex, Hex];
/** Of the slow verifier: above the 5 s of its alert. */
const SLOW_MS = 6_000;
/** More messages than the worker holds tasks. */
const TASKS = 40;

const make = createRecordMaker(61);
const parts = partsFixture();

const startAggregator = async () => parts.closed(await startAggregatorServer({ nowMs: () => Date.now() }));
const discovery = (Name: string, { address }: AggregatorServer) => ({
  ...{ Name, Address: address, InsecureConnection: true, PollInterval: 100, Timeout: 60_000 },
});

/** A verifier that is asked for results of one CCV. */
async function startVerifier(Name: string): Promise<{
  readonly server: VerifierServer;
  readonly ccv: Hex;
  readonly section: { Type: string; Name: string; IssuerAddresses: Hex[]; BaseURL: string; MaxBatchWaitTime: number };
}> {
  const [server, ccv] = [parts.closed(await startVerifierServer()), make.hex(20)];
  const section = { Type: 'rest', Name, IssuerAddresses: [ccv], BaseURL: server.baseUrl, MaxBatchWaitTime: 10 };
  return { server, ccv, section };
}

it('alerts of verifiers, aggregators and messages fire when those fail, lie, and are late', async () => {
  const database = await createTestDatabase();
  parts.closing(() => database.drop());
  const chain = await startCommitteeChain();
  parts.closing(() => chain.stop());
  const contract = await chain.deployVerifier(COMMITTEE_TAG);
  const { proxy: dest } = await chain.deployResolver({ [COMMITTEE_TAG]: contract });
  await chain.setQuorum(contract, SELECTORS.low, { signers: [privateKeyToAccount(KEY).address], threshold: 1 });

  const committee = await startVerifier('committee');
  const [plain, slow] = [await startVerifier('plain'), await startVerifier('slow')];
  const [failing, silent] = [await startVerifier('failing'), await startVerifier('silent')];
  const [announcing, refusing] = [await startAggregator(), await startAggregator()];
  const config = {
    ...hotAndWarm({
      namespace: 'ccv',
      uri: database.uri,
      chains: [
        { Name: 'dest', Selector: String(DEST), RpcUrls: [chain.url], OnRamp: make.hex(20) },
        // nobody listens there
        { Name: 'away', Selector: String(AWAY), ChainID: 1, RpcUrls: ['http://127.0.0.1:9'], OnRamp: make.hex(20) },
      ],
      verifiers: [
        { ...committee.section, VerifySignatures: 'require' },
        { ...slow.section, BatchSize: 1, RequestTimeout: 60 },
        ...[plain, failing, silent].map(({ section }) => section),
      ],
    }),
    Discoveries: [discovery('announcing', announcing), discovery('refusing', refusing)],
    Lanes: { AskAgainAfter: 1 },
    Scheduler: { BaseDelay: 100, MaxDelay: 1_000, VerificationVisibilityWindow: 40, MaxHeapSize: TASKS },
  };
  const file = writeConfig(parts.path, 'verifiers.toml', config);
  const service = await startServiceProcess('start', file);
  const alerts = parts.closed(await watchAlerts([service.adminUrl]));

  const to = (ccv: Hex, destChainSelector = DEST) =>
    make.message({ sourceChainSelector: SELECTORS.low, destChainSelector, ccvs: [ccv] });
  const announce = (message: NewMessage) => announcing.publish(make.result(message, 0, ANNOUNCEMENT));
  const proven = async (message: NewMessage, key: Hex) => {
    return make.result(message, 0, {
      dest,
      ccvData: await signCommitteeProof(COMMITTEE_TAG, message.messageId, [key]),
    });
  };

  await alerts.fire(async () => {
    const { key, certificate, certFile: CACertFile } = await shortIdentityIn(parts.path);
    const secure = parts.closed(await startAggregatorServer({ nowMs: () => Date.now(), tls: { key, certificate } }));
    const Address = secure.address.replace('127.0.0.1', 'localhost');
    const Discoveries = [...config.Discoveries, { Name: 'secure', Address, CACertFile }];
    writeConfig(parts.path, 'verifiers.toml', { ...config, Discoveries });
    service.cli.kill('SIGHUP');
  }, 'CcvIndexerCertificateExpires');

  await alerts.fire(async () => {
    const message = to(committee.ccv);
    committee.server.add(await proven(message, STRANGER));
    announce(message);
  }, 'CcvIndexerInvalidSignatures');

  await alerts.fire(() => {
    const message = to(plain.ccv);
    const executor = JSON.stringify(make.hex(20));
    const text = resultJson(make.result(message), { message_executor_address: executor });
    plain.server.misbehave((ids) => answerJson(ids.map(() => text)));
    announce(message);
  }, 'CcvIndexerResultsRejected');

  await alerts.fire(() => {
    const message = to(plain.ccv);
    for (const ccvData of [make.bytes(80), make.bytes(81)])
      announcing.publish(make.result(message, 0, { dest, ccvData }));
  }, 'CcvIndexerConflicts');

  await Promise.all([
    alerts.fire(() => announce(to(silent.ccv)), 'CcvIndexerMessagesWaiting', 'CcvIndexerVerificationTimeouts'),
    alerts.fire(() => announce(to(make.hex(20))), 'CcvIndexerUnknownCcv'),
    alerts.fire(() => {
      slow.server.misbehave(async (_, reply) => {
        await delay(SLOW_MS);
        await reply.code(404).send({ error: 'not found' });
        return undefined;
      });
      for (let count = 0; count < 10; count += 1) announce(to(slow.ccv));
    }, 'CcvIndexerVerifierSlow'),
    alerts.fire(
      () => {
        failing.server.misbehave(async (_, reply) => {
          await reply.code(500).send({ error: 'broken' });
          return undefined;
        });
        announce(to(failing.ccv));
      },
      'CcvIndexerVerifierDown',
      'CcvIndexerVerifierErrors',
    ),
    alerts.fire(() => {
      refusing.answer(() => ({ code: status.UNAVAILABLE, details: 'going down' }));
    }, 'CcvIndexerAggregatorFailing'),
  ]);

  await alerts.fire(() => {
    for (let count = 0; count <= TASKS; count += 1) announce(to(silent.ccv));
  }, 'CcvIndexerTasksOverflowed');

  await alerts.fire(
    async () => {
      const message = to(committee.ccv, AWAY);
      committee.server.add(await proven(message, KEY));
      announcing.publish(await proven(message, KEY));
    },
    'CcvIndexerSignaturesUnjudged',
    'CcvIndexerAggregatorHeld',
  );
});
