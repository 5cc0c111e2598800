import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiError, type Change, createClient } from '../../../src/client/index.js';
import { logOf } from '../../../src/model/identity.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { type RunningApi, startApi } from '../../support/api/api.js';
import { eventually } from '../../support/eventually.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';

const make = createRecordMaker(91);
const PAUSES = { baseMs: 1, maxMs: 5 };

describe('the typed client', () => {
  let storage: Storage;
  let api: RunningApi;
  const messages = Array.from({ length: 12 }, (_, n) =>
    make.message({ sourceChainSelector: n % 2 === 0 ? SELECTORS.max : SELECTORS.low }),
  );
  const execution = make.execution(messages[3]!);
  beforeAll(async () => {
    storage = createMemoryStorage({ name: 'hot' });
    for (const message of messages) await storage.insertBatch({ messages: [message] });
    await storage.insertBatch({ executions: [execution], verifierResults: [make.result(messages[3]!)] });
    api = await startApi(storage);
  });
  afterAll(async () => {
    await api.close();
    await storage.close();
  });
  const client = (port = api.port) => createClient({ baseUrl: `http://127.0.0.1:${port}/` });

  test('asks each route with its parameters, and lists in pages', async () => {
    const wanted = messages.filter((_, n) => n % 2 === 0).map(({ messageId }) => messageId);
    const query = { source: [String(SELECTORS.max)], order: 'oldest', limit: 4 } as const;
    const page = await client().get('/v2/messages', { query });
    expect(page.messages.map(({ messageId }) => messageId)).toEqual(wanted.slice(0, 4));
    const all = [];
    for await (const { messageId } of client().messages(query)) all.push(messageId);
    expect(all).toEqual(wanted);
    const { messageId } = execution;
    const detail = await client().get('/v2/messages/{messageID}', { path: { messageID: messageId } });
    expect(detail.executions.map(({ state }) => state)).toEqual([execution.state]);
    const { transactionHash } = execution.place;
    const { executions } = await client().get('/v2/transactions/{transactionHash}', { path: { transactionHash } });
    expect(executions[0]?.message?.messageId).toBe(messageId);
    const { changes } = await client().get('/v2/feed', { query: { kinds: ['execution', 'verifierResult'] } });
    expect(changes.map(({ kind }) => kind)).toEqual(['verifierResult', 'execution']);
  });

  test('throws what the server says of a question that it does not answer', async () => {
    const refused = await client()
      .get('/v2/messages/{messageID}', { path: { messageID: 'a/b?c' } })
      .catch((thrown: unknown) => thrown);
    expect(refused).toBeInstanceOf(ApiError);
    expect(refused).toMatchObject({ status: 400, code: 'API_ERROR', retryable: false });
    expect((refused as ApiError).detail).toContain('messageID');
    expect((refused as ApiError).requestId).toBeTruthy();
  });

  test('reads every change, in order, over connections that are cut and a server that is another', async () => {
    const [first, second] = [await startApi(storage), await startApi(storage)];
    let port = first.port;
    const lost: string[] = [];
    const through: typeof fetch = async (url, init) =>
      await fetch(String(url).replace('//feed', `//127.0.0.1:${port}`), init);
    const reader = createClient({ baseUrl: 'http://feed', fetch: through });
    const end = new AbortController();
    const feed = reader.feed({
      ...{ after: '0', signal: end.signal, pauses: PAUSES },
      onLost: ({ message }) => lost.push(message),
    });
    const told: Change[] = [];
    const reading = (async () => {
      for await (const change of feed) {
        told.push(change);
        if (told.length === 5) {
          port = second.port;
          await first.close();
        }
      }
    })();
    const { changes } = await storage.changesAfter(0n);
    await eventually('all is told', () => told.length >= changes.length);
    const { place } = execution;
    await storage.insertBatch({ executionOrphanings: [logOf({ messageId: execution.messageId, place })] });
    await eventually('the last change is told', () => told.at(-1)?.execution?.orphaned === true);
    const last = (await storage.changesAfter(0n)).headPosition;
    await eventually('its place is known', () => feed.position !== null);
    end.abort();
    await reading;
    const positions = told.map(({ position }) => Number(position));
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
    expect(positions).toEqual([...changes.map(({ position }) => Number(position)), Number(last)]);
    expect(lost.length).toBeGreaterThan(0);
    await second.close();
  });

  test('goes on from a place that it was told to keep, in a part of the feed', async () => {
    const all = client().feed({ after: '0', query: { kinds: ['message'] } });
    const seen: string[] = [];
    for await (const { messageId } of all) {
      seen.push(messageId);
      if (seen.length === 4) break;
    }
    // the fourth was not taken: its reader never asked for the one behind it
    const rest = client().feed({ after: all.position!, query: { kinds: ['message'] } });
    for await (const { messageId } of rest) {
      expect(messageId).toBe(seen[3]);
      break;
    }
  });

  test('leaves a server that has fallen silent, and ends for a place that is not there', async () => {
    let connections = 0;
    const silent = createServer((request, answer) => {
      connections += 1;
      if (connections > 2) {
        answer.writeHead(409, { 'content-type': 'application/problem+json' });
        answer.end(JSON.stringify({ detail: `above: ${request.headers['last-event-id']}` }));
        return;
      }
      answer.writeHead(200, { 'content-type': 'text/event-stream' });
      answer.write(`id: 1${connections}\n\n`);
    }).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const lost: string[] = [];
    const feed = client((silent.address() as AddressInfo).port).feed({
      ...{ silenceMs: 500, pauses: PAUSES },
      onLost: ({ message }) => lost.push(message),
    });
    const read = async () => {
      for await (const change of feed) throw new Error(`told ${change.position}`);
    };
    await expect(read()).rejects.toMatchObject({ status: 409, detail: 'above: 12' });
    expect(lost).toHaveLength(2);
    expect(lost[0]).toContain('nothing was heard');
    silent.close();
    silent.closeAllConnections();
  });
});
