import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectionUri } from '../../scripts/devnet/postgres/embedded-postgres.js';
import { endAllCli } from '../support/e2e/cli.js';
import { type EmittedChain, startEmittedChain } from '../support/e2e/emitted-chain.js';
import { body, get, type ListedMessage, listMessages, listResults, messagesIn } from '../support/e2e/http.js';
import { expectSameBytes, latestMs } from '../support/e2e/same-bytes.js';
import {
  e2eDirectory,
  hotAndWarm,
  type RunningService,
  startServiceProcess,
  writeConfig,
} from '../support/e2e/service.js';
import { startTap, type Tap } from '../support/e2e/tap.js';
import { eventually } from '../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';

const directory = e2eDirectory();
let database: TestDatabase;
let chain: EmittedChain;
let tap: Tap;
let worker: RunningService;
let replicas: readonly [RunningService, RunningService];

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  chain = await startEmittedChain(5);
  for (let block = 0; block < 8; block += 1) await chain.block(10);
  tap = await startTap(database.tcp);
  const config = (uri: string) =>
    hotAndWarm({
      namespace: 'replicas',
      uri,
      chains: [chain.chainSection({ PollInterval: 20 })],
      verifiers: [chain.verifierSection()],
      memory: { MaxStaleness: 10_000 },
    });
  const direct = writeConfig(directory.path, 'direct.toml', config(database.uri));
  const tapped = writeConfig(directory.path, 'tapped.toml', config(connectionUri({ ...database.tcp, port: tap.port })));
  worker = await startServiceProcess('worker', direct, '--migrate');
  replicas = await Promise.all([startServiceProcess('api', direct), startServiceProcess('api', tapped)]);
});
afterAll(async () => {
  await endAllCli();
  await tap.close();
  await chain.close();
  await database.drop();
  directory.remove();
});

describe('two API processes beside a worker', () => {
  it('answer closed ranges and lookups with the same bytes', async () => {
    await untilAllVerified();
    await expectSameBytes(replicas, chain.messageIds);
  });

  it('tell of the verifiers that the worker asks, with its breakers, and the same totals', async () => {
    const told = await Promise.all(
      replicas.map(async ({ apiUrl }) => {
        const [verifiers, stats] = await Promise.all([get(`${apiUrl}/v2/verifiers`), get(`${apiUrl}/v2/stats`)]);
        expect([verifiers.status, stats.status], verifiers.text + stats.text).toEqual([200, 200]);
        return [JSON.parse(verifiers.text).verifiers, JSON.parse(stats.text).messages] as const;
      }),
    );
    const total = String(chain.messageIds.length);
    for (const [verifiers, messages] of told) {
      expect(verifiers).toMatchObject([{ waiting: 0, workers: [{ breaker: 'closed', failures: 0 }] }]);
      expect(verifiers[0].answered['24h']).toBeGreaterThanOrEqual(chain.messageIds.length);
      expect(messages).toMatchObject({ total, success: total, processing: '0', timeout: '0' });
    }
  });

  it('show what the other has shown for the same closed range, while the worker stores', async () => {
    let stored = false;
    const storing = (async () => {
      for (let block = 0; block < 100; block += 1) await chain.block(2);
      stored = true;
    })();
    const seen = new Set<string>();
    let lastMs = 0;
    try {
      for (let turn = 0; !stored || seen.size < chain.messageIds.length; turn += 1) {
        // a client that polls by time, and goes to the other replica whenever there was something new
        const [ahead, other] = turn % 2 === 0 ? replicas : [replicas[1], replicas[0]];
        const shown = await listMessages(ahead.apiUrl, `start=${lastMs + 1}&limit=1000`);
        if (shown.size === 0) continue;
        const range = `start=${lastMs + 1}&end=${latestMs(shown)}&limit=1000`;
        const answer = await get(`${other.apiUrl}/v1/messages?${range}`);
        expect([200, 503]).toContain(answer.status);
        if (answer.status === 503) continue;
        expect([...messagesIn(answer.text).keys()]).toEqual([...shown.keys()]);
        for (const messageId of shown.keys()) seen.add(messageId);
        lastMs = latestMs(shown);
      }
    } finally {
      await storing;
    }
    expect([...seen].sort()).toEqual([...chain.messageIds].sort());
    await untilAllVerified();
    await expectSameBytes(replicas, chain.messageIds);
  });

  it('never answer for a time that the other has shown without what was stored by then, cut off for a moment or not', async () => {
    const [ahead, cutOff] = replicas;
    const sinceMs = latestMs(await listMessages(ahead.apiUrl)) + 1;
    tap.pause();
    try {
      const [messageId] = await chain.block(1);
      let shown = new Map<string, ListedMessage>();
      await eventually('the message to be listed', async () => {
        shown = await listMessages(ahead.apiUrl, `start=${sinceMs}`);
        return shown.has(messageId!);
      });
      const endMs = latestMs(shown);
      let isSettled = false;
      tap.onSent = (chunk) => {
        isSettled ||= chunk.includes(`${endMs}`);
        return 'pass';
      };
      const asked = get(`${cutOff.apiUrl}/v1/messages?start=${sinceMs}&end=${endMs}`).finally(() => {
        isSettled = true;
      });
      // it may ask the database and wait, or refuse, but not answer with less
      await eventually('an answer, or a question to the database', () => isSettled);
      tap.resume();
      const { status, text } = await asked;
      if (status === 200) expect([...messagesIn(text).keys()]).toEqual([...shown.keys()]);
      else expect(status).toBe(503);
    } finally {
      tap.onSent = null;
      tap.resume();
    }
  });

  it('list a message soon after the worker stored it', async () => {
    const [messageId] = await chain.block(1);
    const sinceMs = performance.now();
    await Promise.all(
      replicas.map(async ({ apiUrl }, index) => {
        await eventually('the message to be listed', async () => (await listMessages(apiUrl)).has(messageId!));
        console.log(
          `replica ${index} lists a new message ${Math.round(performance.now() - sinceMs)} ms after its block`,
        );
      }),
    );
  });

  it('go on without the worker, and drain at SIGTERM', async () => {
    expect(worker.apiUrl).toBe('');
    expect(await worker.cli.stop()).toEqual({ code: 0, signal: null });
    for (const replica of replicas) {
      expect((await listMessages(replica.apiUrl)).size).toBe(chain.messageIds.length);
      await drains(replica);
    }
  });
});

async function untilAllVerified(): Promise<void> {
  for (const { apiUrl } of replicas) {
    await eventually('every message to be listed as verified', async () => {
      const listed = [...(await listMessages(apiUrl)).values()];
      return listed.length === chain.messageIds.length && listed.every(({ metadata }) => metadata.status === 1);
    });
    await eventually('every verification', async () => (await listResults(apiUrl)).size === chain.messageIds.length);
  }
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
