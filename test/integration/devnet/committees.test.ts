import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommitteeVerifier, createCommitteeVerifier } from '../../../scripts/devnet/lane/committee-verifier.js';
import { createTraffic, type SentMessage, type Traffic } from '../../../scripts/devnet/lane/traffic.js';
import { parseExactJson } from '../../../src/protocol/exact-json.js';
import type { SequencedResult } from '../../../src/verifiers/aggregator/client/aggregator-client.js';
import { readProtobufClaim } from '../../../src/verifiers/aggregator/client/protobuf-claim.js';
import { entriesOf } from '../../support/devnet/aggregator-entries.js';
import {
  common,
  library,
  startTestLane,
  type TestLane,
  temporaryDirectory,
  until,
} from '../../support/devnet/fixture.js';

let lane: TestLane;
let verifiers: CommitteeVerifier[];
let traffic: Traffic;

beforeAll(async () => {
  lane = await startTestLane();
  const { deployment, chains } = lane;
  verifiers = await Promise.all(
    deployment.committees.map(async ({ name }) =>
      lane.own(await createCommitteeVerifier({ common, deployment, chains, committee: name, pollMs: 20 })),
    ),
  );
  traffic = lane.own(createTraffic({ common, deployment, chains, library, ratePerSecond: 40, seed: 1 }));
});
afterAll(() => lane.close());

describe('the committee verifier', () => {
  it('answers 404 for unknown messages, null beside known ones, and exact 64-bit numbers', async () => {
    const { messageId } = await traffic.send('fastDepth', 1);
    const url = `${verifiers[0]!.url}/verifications`;
    const unknown = `0x${'ab'.repeat(32)}`;
    const text = await until('the signature', async () => {
      const response = await fetch(`${url}?messageID=${unknown}&messageID=${messageId}`);
      return response.status === 200 && (await response.text());
    });
    const body = parseExactJson(text) as { results: ({ message: Record<string, unknown> } | null)[]; errors: string[] };
    expect(body.results).toHaveLength(2);
    expect(body.results[0]).toBeNull();
    expect(body.results[1]?.message['source_chain_selector']).toBe(7_759_470_850_252_068_959n);
    expect(body.errors).toEqual([]);
    expect((await fetch(`${url}?messageID=${unknown}`)).status).toBe(404);
    expect((await fetch(url)).status).toBe(400);
    expect((await fetch(`${url}?messageID=0x12`)).status).toBe(400);
  });

  it('answers only for its own CCV', async () => {
    const { messageId } = await traffic.send('fastDepth');
    const [first, second] = verifiers.map(({ url }) => `${url}/verifications?messageID=${messageId}`);
    await until('the first committee', async () => (await fetch(first!)).status === 200);
    expect((await fetch(second!)).status).toBe(404);
    expect(verifiers[0]!.issuerAddresses).toEqual(lane.deployment.chains.map((chain) => chain.addresses.ccvs['first']));
  });
});

describe('a committee with an aggregator', () => {
  it('gives results of one chain there and of the other by REST, after a restart with the same times and sequences', async () => {
    const directory = temporaryDirectory();
    lane.own({ close: async () => directory.remove() });
    const resultsFile = join(directory.path, 'first.jsonl');
    const { deployment, chains } = lane;
    const aggregated = { sources: [chains[0].name] };
    const start = async () =>
      lane.own(
        await createCommitteeVerifier({
          ...{ common, deployment, chains, pollMs: 20 },
          committee: 'first',
          aggregated,
          resultsFile,
        }),
      );
    const first = await start();
    const entries = ({ aggregator }: CommitteeVerifier) => entriesOf(aggregator!);
    const idOf = ({ raw }: SequencedResult) => {
      const read = readProtobufClaim(raw);
      return read.kind === 'claim' ? read.claim.messageId : null;
    };
    const has = (list: readonly SequencedResult[], { messageId }: SentMessage) => list.map(idOf).includes(messageId);
    const rest = ({ url }: CommitteeVerifier, { messageId }: SentMessage) =>
      fetch(`${url}/verifications?messageID=${messageId}`);

    const [fromA, fromB] = await Promise.all([traffic.send('fastDepth', 0), traffic.send('fastDepth', 1)]);
    const before = await until('the entry', async () => {
      const list = await entries(first);
      return has(list, fromA) && list;
    });
    const answer = await until('the answer', async () => {
      const response = await rest(first, fromB);
      return response.status === 200 && (await response.text());
    });
    expect(has(before, fromB)).toBe(false);
    expect((await rest(first, fromA)).status).toBe(404);
    expect(first.issuerAddresses).toEqual([deployment.chains[1].addresses.ccvs['first']]);
    expect(first.aggregator?.issuerAddresses).toEqual([deployment.chains[0].addresses.ccvs['first']]);
    await first.close();

    // as a process leaves it that is killed while it writes
    appendFileSync(resultsFile, '{"messageId":"0x12');
    const second = await start();
    expect((await entries(second)).slice(0, before.length)).toEqual(before);
    expect(await (await rest(second, fromB)).text()).toBe(answer);
    const later = await traffic.send('fastDepth', 0);
    const after = await until('the later entry', async () => {
      const list = await entries(second);
      return has(list, later) && list;
    });
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.map(({ sequence }) => sequence)).toEqual(after.map((_, index) => BigInt(index + 1)));
    expect(new Set(after.map(idOf)).size).toBe(after.length);
    await second.close();
    expect(await entries(await start())).toEqual(after);
  });
});
