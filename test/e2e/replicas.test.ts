import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Hex } from '../../src/core/hex.js';
import { endAllCli } from '../support/e2e-cli.js';
import { type EmittedChain, startEmittedChain } from '../support/e2e-emitted-chain.js';
import { body, get, listMessages, listResults, messagesIn } from '../support/e2e-http.js';
import {
  e2eDirectory,
  hotAndWarm,
  type RunningService,
  startServiceProcess,
  writeConfig,
} from '../support/e2e-service.js';
import { eventually } from '../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

const directory = e2eDirectory();
let database: TestDatabase;
let chain: EmittedChain;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  chain = await startEmittedChain(5);
});
afterEach(endAllCli);
afterAll(async () => {
  await chain.close();
  await database.drop();
  directory.remove();
});

/** Both lists with every filter and page that a client might use, over ingestion times up to `endMs`. */
function closedQueries(startMs: number, endMs: number): string[] {
  const middleMs = Math.floor((startMs + endMs) / 2);
  return ['messages', 'verifierresults'].flatMap((list) =>
    [
      `end=${endMs}&limit=1000`,
      `end=${endMs}`,
      `end=${endMs}&limit=7&offset=13`,
      `start=${middleMs}&end=${endMs}&limit=1000`,
      `end=${middleMs}&limit=1000`,
      `end=${endMs}&sourceChainSelectors=3379446385462418246&destChainSelectors=12922642891491394802&limit=50`,
      `end=${endMs}&sourceChainSelectors=1`,
    ].map((query) => `/v1/${list}?${query}`),
  );
}

it('two API processes beside a worker answer as one, show each commit at once, and drain at SIGTERM', async () => {
  for (let block = 0; block < 8; block += 1) await chain.block(10);
  const config = hotAndWarm({
    namespace: 'replicas',
    uri: database.uri,
    chains: [chain.chainSection()],
    verifiers: [chain.verifierSection()],
  });
  const file = writeConfig(directory.path, 'replicas.toml', config);
  const worker = await startServiceProcess('worker', file, '--migrate');
  const replicas = await Promise.all([startServiceProcess('api', file), startServiceProcess('api', file)]);
  expect(worker.apiUrl).toBe('');

  await untilAllVerified(replicas, chain.messageIds);
  await sameBytes(replicas);
  await whileStoring(replicas);
  await untilAllVerified(replicas, chain.messageIds);
  await sameBytes(replicas);

  const [messageId] = await chain.block(1);
  const sinceMs = performance.now();
  await Promise.all(
    replicas.map(async ({ apiUrl }, index) => {
      await eventually(`replica ${index} to list the message`, async () =>
        (await listMessages(apiUrl, 'limit=1000')).has(messageId!),
      );
      console.log(`replica ${index} lists a new message ${Math.round(performance.now() - sinceMs)} ms after its block`);
    }),
  );

  // a replica without a worker goes on answering
  expect(await worker.cli.stop()).toEqual({ code: 0, signal: null });
  expect((await listMessages(replicas[0].apiUrl)).size).toBe(chain.messageIds.length);
  for (const replica of replicas) await drains(replica);
}, 120_000);

async function untilAllVerified(replicas: readonly RunningService[], ids: readonly Hex[]): Promise<void> {
  for (const { apiUrl } of replicas) {
    await eventually('every message to be listed as verified', async () => {
      const listed = [...(await listMessages(apiUrl)).values()];
      return listed.length === ids.length && listed.every(({ metadata }) => metadata.status === 1);
    });
    expect((await listResults(apiUrl)).size).toBe(ids.length);
  }
}

/** What is closed and at rest reads the same on both, byte by byte. */
async function sameBytes([first, second]: readonly RunningService[]): Promise<void> {
  const times = [...(await listMessages(first!.apiUrl)).values()].map(({ metadata }) =>
    Date.parse(metadata.ingestionTimestamp),
  );
  const paths = [
    ...closedQueries(Math.min(...times), Math.max(...times)),
    ...chain.messageIds.slice(0, 5).map((id) => `/v1/verifierresults/${id}`),
  ];
  for (const path of paths) {
    const [a, b] = await Promise.all([body(`${first!.apiUrl}${path}`), body(`${second!.apiUrl}${path}`)]);
    expect(a, path).toBe(b);
  }
  expect((await listMessages(first!.apiUrl, `end=${Math.max(...times)}&limit=1000`)).size).toBe(times.length);
}

/**
 * While the worker stores, what one replica has shown the other shows at once for the same closed range: a client that
 * goes from one to the other misses nothing.
 */
async function whileStoring(replicas: readonly RunningService[]): Promise<void> {
  let stored = false;
  const storing = (async () => {
    for (let block = 0; block < 25; block += 1) await chain.block(4);
    stored = true;
  })();
  let compared = 0;
  for (let turn = 0; !stored || compared < 20; turn += 1) {
    const [ahead, other] = turn % 2 === 0 ? replicas : [...replicas].reverse();
    const shown = await listMessages(ahead!.apiUrl);
    const lastMs = Math.max(...[...shown.values()].map(({ metadata }) => Date.parse(metadata.ingestionTimestamp)));
    const answer = await get(`${other!.apiUrl}/v1/messages?end=${lastMs}&limit=1000`);
    expect([200, 503]).toContain(answer.status);
    if (answer.status === 503) continue;
    expect([...messagesIn(answer.text).keys()]).toEqual([...shown.keys()]);
    compared += 1;
  }
  await storing;
}

/** SIGTERM in the middle of requests: each is answered whole or was never taken, and the process ends with code 0. */
async function drains({ cli, apiUrl }: RunningService): Promise<void> {
  const whole = await body(`${apiUrl}/v1/messages?limit=1000`);
  let answered = 0;
  let refused = 0;
  let terminated = false;
  const clients = Array.from({ length: 4 }, async () => {
    while (refused === 0) {
      try {
        const { status, text } = await get(`${apiUrl}/v1/messages?limit=1000`);
        expect([status, text === whole]).toEqual([200, true]);
        answered += 1;
      } catch (thrown) {
        if (!terminated || !wasNeverTaken(thrown as NodeJS.ErrnoException)) throw thrown;
        refused += 1;
      }
    }
  });
  await eventually('some answers', () => answered >= 8);
  terminated = true;
  cli.kill('SIGTERM');
  await Promise.all(clients);
  expect(await cli.exited).toEqual({ code: 0, signal: null });
  expect(cli.stderr()).toContain('"msg":"stopped"');
}

/** Refused, or reset while it still waited to be accepted; an answer that breaks off says `aborted`. */
function wasNeverTaken({ code, message }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNREFUSED' || (code === 'ECONNRESET' && message !== 'aborted');
}
