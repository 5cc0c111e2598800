import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import type { NewMessage } from '../../../src/model/records.js';
import { createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import { createDirectoryObjectStore } from '../../../src/storage/cold/object-store/directory/directory-store.js';
import { doctor } from '../../support/doctor/system.js';
import { runHere } from '../../support/e2e/run-here.js';
import { e2eDirectory, writeConfig } from '../../support/e2e/service.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';
import { API_KEY, openAggregator, SECRET } from '../../support/verifiers/aggregator.js';

const AGGREGATED = 'discovery:agg';
const common = createCommon();
const directory = e2eDirectory();
const make = createRecordMaker(31);
/** The third of four is not stored. */
const messages = Array.from({ length: 4 }, () => make.message({ sourceChainSelector: SELECTORS.low }));
const [first, , third] = messages as [NewMessage, NewMessage, NewMessage];

beforeAll(async () => {
  const store = createDirectoryObjectStore({ directory: join(directory.path, 'cold'), common });
  const storage = createColdStorage({ name: 'cold', store, namespace: 'ccv', role: 'leader', common });
  await storage.insertBatch({
    messages: messages.filter((message) => message !== third),
    verifierResults: [make.result(first)],
    quarantine: [
      { sourceId: AGGREGATED, key: '9', reason: 'shape', detail: 'x', raw: make.bytes(3), messageId: null },
      { sourceId: AGGREGATED, key: '10', reason: 'shape', detail: 'y', raw: make.bytes(3), messageId: null },
    ],
    cursors: [{ sourceId: AGGREGATED, height: 1n, hash: make.hex(32), expectedHeight: null }],
  });
  await storage.close();
  await store.close();
});
afterAll(() => directory.remove());

/** One process without a database, and an aggregator; the selector of its chain is that of the messages. */
function configOf(address: string, APIKey = API_KEY): string {
  const access = { Address: address, InsecureConnection: true, APIKey, Secret: SECRET };
  return writeConfig(directory.path, 'cold.toml', {
    Discoveries: [{ Name: 'agg', PollInterval: 50, ...access }],
    Chain: [{ Name: 'low', Selector: String(SELECTORS.low), RpcUrls: ['http://127.0.0.1:1'], OnRamp: make.hex(20) }],
    Storage: { Strategy: 'single', Single: { Type: 's3', S3: { Directory: join(directory.path, 'cold') } } },
  });
}

it('looks at the lanes, quarantine and files of a system without a database', async () => {
  const { code, json } = await doctor(configOf('127.0.0.1:1'), '--only', 'lanes,quarantine,cold-files,tiers,tasks');
  expect(code).toBe(2);
  expect(json.findings).toMatchObject([
    { id: 'lane-gap', evidence: { missing: '1', ranges: ['3'], chain: 'low' } },
    { id: 'ccv-unknown', evidence: { messages: 3 } },
    { id: 'quarantine-filled', subject: AGGREGATED, evidence: { reason: 'shape', entries: 2, last: 'y' } },
  ]);
});

it('names an aggregator that is away, refuses us, or has entries that no worker has read', async () => {
  const only = ['--only', 'aggregators'];
  const aggregator = await openAggregator();
  const results = [first, third].map((message) => make.result(message));
  expect(aggregator.publish(results[0]!)).toBe(1n);
  expect(await doctor(configOf(aggregator.address), ...only)).toMatchObject({ code: 0, ids: [] });
  aggregator.publish(results[1]!);
  expect((await doctor(configOf(aggregator.address), ...only)).json.findings).toMatchObject([
    { id: 'aggregator-behind', subject: 'agg', evidence: { sequence: '1', first: '2', waiting: 1 } },
  ]);
  const stranger = configOf(aggregator.address, API_KEY.replace('5c', '5d'));
  expect(await doctor(stranger, ...only)).toMatchObject({ code: 2, ids: ['aggregator-refused agg'] });

  const file = configOf(aggregator.address);
  const { code, stdout } = await runHere(['inspect', third.messageId, '-c', file, '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    message: { messageNumber: '3' },
    tiers: [{ backend: 's3', message: null, results: [] }],
    sources: [{ name: 'agg', kind: 'aggregator', state: 'result' }],
    ccvs: [{ why: 'no [[Verifier]] answers for it; aggregator agg has it now, and no worker has stored it yet' }],
  });
  await aggregator.close();
  expect(await doctor(file, ...only)).toMatchObject({ code: 2, ids: ['aggregator-unreachable agg'] });
});
