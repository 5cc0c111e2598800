import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createRpcPool, type RpcPoolOptions } from '../../../src/chains/rpc/rpc-pool.js';
import { type Common, createCommon } from '../../../src/core/common.js';
import { fakeAnswer, fakeHash } from '../../support/chain/fake-node.js';
import { type ProxiedCall, type RpcProxy, startRpcProxy } from '../../support/chain/rpc-proxy.js';
import { eventually } from '../../support/eventually.js';
import { createManualClock } from '../../support/manual-clock.js';

const HEAD = 100;
const never = new AbortController().signal;
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function setUp(options: Partial<RpcPoolOptions> = {}, common: Common = createCommon()) {
  const node = await startRpcProxy('http://127.0.0.1:1');
  cleanups.push(() => node.close());
  node.onCall = async (call) => fakeAnswer(call, HEAD);
  const rpc = createRpcPool({ chainName: 'a', urls: [node.url], timeoutMs: 60_000, ...options, common });
  cleanups.push(() => rpc.close());
  const ask = (blocks: number) =>
    rpc.withNode((asked) => asked.headers(Array.from({ length: blocks }, (_, index) => index)), never);
  return { node, rpc, ask };
}

const hashes = (blocks: number) => Array.from({ length: blocks }, (_, index) => ({ hash: fakeHash(index) }));
const sizes = ({ requests }: RpcProxy, from = 0) => requests.slice(from).map(({ length }) => length);

/** Refuses batches of more than that many calls. */
function takesAtMost(node: RpcProxy, most: number, refuse: Refusal): void {
  node.onRequest = (calls, response) => {
    if (calls.length <= most) return false;
    refuse(response, calls);
    return true;
  };
}

type Refusal = (response: ServerResponse, calls: readonly ProxiedCall[]) => void;
const json =
  (answer: (calls: readonly ProxiedCall[]) => unknown, status = 200): Refusal =>
  (response, calls) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer(calls)));
const error = { code: -32600, message: 'no batches' };
const each = (calls: readonly ProxiedCall[], answer: object) =>
  calls.map(({ id }) => ({ jsonrpc: '2.0', id, ...answer }));

/** Answers so many calls, and the others with `error`. */
const answersFirst = (most: number, error: object) =>
  json((calls) =>
    calls.map((call, at) => ({ jsonrpc: '2.0', id: call.id, ...(at < most ? fakeAnswer(call, HEAD) : { error }) })),
  );

const REFUSALS: Readonly<Record<string, Refusal>> = {
  'one error': json(() => ({ jsonrpc: '2.0', id: null, error })),
  'an array of one error': json(() => [{ jsonrpc: '2.0', id: null, error }]),
  'an array of one error with the id of the first call': json((calls) => each(calls.slice(0, 1), { error })),
  'an error of the server for each call': json((calls) => each(calls, { error })),
  'an error about a limit for each call': json((calls) => each(calls, { error: { code: -32005, message: 'limit' } })),
  'an empty array': json(() => []),
  'the answer to the first call alone': json((calls) =>
    calls.slice(0, 1).map((call) => ({ id: 1, ...fakeAnswer(call, HEAD) })),
  ),
  'the answer to the first call in an array': json((calls) => [{ id: 1, ...fakeAnswer(calls[0]!, HEAD) }]),
  'all answers but the last': json((calls) => each(calls.slice(1), { result: null })),
  'answers without ids': json((calls) => calls.map(() => ({ jsonrpc: '2.0', result: null }))),
  null: json(() => null),
  text: json(() => 'batches are not for you'),
  'an empty body': (response) => response.end(),
  'a page': (response) => response.end('<html>upgrade your plan</html>'),
  'HTTP 400': (response) => response.writeHead(400).end('bad request'),
  'HTTP 403': (response) => response.writeHead(403).end(),
  'HTTP 413': (response) => response.writeHead(413).end(),
  'HTTP 500 with an error': json(() => ({ jsonrpc: '2.0', id: null, error: { code: 31, message: 'free tier' } }), 500),
  'HTTP 501': (response) => response.writeHead(501).end(),
  'a closed connection': (response) => response.destroy(),
  'more bytes than are taken': (response) => response.end(`[${'"0123456789",'.repeat(20_000)}0]`),
  'more values than are taken': (response) => response.end(`[${'0,'.repeat(1_000_001)}0]`),
};

describe('a node that refuses batches', () => {
  it.each(Object.keys(REFUSALS))(
    'with %s gets smaller ones, at last single calls, and no more of them',
    async (form) => {
      const { node, ask } = await setUp({ maxResponseBytes: form.includes('bytes') ? 100_000 : 4_000_000 });
      takesAtMost(node, 1, REFUSALS[form]!);
      expect(await ask(7)).toMatchObject(hashes(7));
      const { length } = node.requests;
      expect(await ask(7)).toMatchObject(hashes(7));
      expect(sizes(node, length)).toEqual([1, 1, 1, 1, 1, 1, 1]);
    },
  );

  it('above a size gets batches that it takes', async () => {
    const { node, ask } = await setUp({ maxBatchCalls: 20 });
    takesAtMost(node, 5, REFUSALS['an array of one error']!);
    expect(await ask(60)).toMatchObject(hashes(60));
    const { length } = node.requests;
    expect(await ask(20)).toMatchObject(hashes(20));
    expect(sizes(node, length)).toEqual([5, 5, 5, 5]);
  });

  it('beyond its first calls, with an error for each of the others, gets batches that it takes', async () => {
    const { node, ask } = await setUp({ maxBatchCalls: 20 });
    takesAtMost(node, 5, answersFirst(5, error));
    expect(await ask(60)).toMatchObject(hashes(60));
    const { length } = node.requests;
    expect(await ask(20)).toMatchObject(hashes(20));
    expect(sizes(node, length)).toEqual([5, 5, 5, 5]);
  });

  it('beyond its first calls, whose others it says to be too many at a time, gets batches that it takes', async () => {
    const clock = createManualClock();
    const { node, ask } = await setUp({ maxBatchCalls: 20 }, createCommon({ clock }));
    takesAtMost(node, 5, answersFirst(5, { code: 429, message: 'compute units' }));
    const asked = async () => {
      await clock.advance(60_000);
      return await ask(20).catch(() => null);
    };
    for (let attempt = 0; attempt < 20 && (await asked()) === null; ) attempt++;
    expect(await asked()).toMatchObject(hashes(20));
  });

  it('is asked for one call at a time when the configuration says so', async () => {
    const { node, ask } = await setUp({ maxBatchCalls: 1 });
    // which chain it is, is settled first
    await ask(1);
    const { length } = node.requests;
    expect(await ask(3)).toMatchObject(hashes(3));
    expect(sizes(node, length)).toEqual([1, 1, 1]);
  });

  it('by never answering them gets smaller ones after it has answered a single call', async () => {
    const clock = createManualClock();
    const { node, ask } = await setUp({}, createCommon({ clock }));
    let unanswered = 0;
    takesAtMost(node, 2, () => unanswered++);
    for (let attempt = 1; attempt <= 2; attempt++) {
      const asked = expect(ask(5)).rejects.toMatchObject({ code: 'RPC_TIMEOUT' });
      await eventually('a batch without an answer', () => unanswered === attempt);
      await clock.advance(60_000);
      await asked;
    }
    expect(await ask(5)).toMatchObject(hashes(5));
    const { length } = node.requests;
    expect(await ask(4)).toMatchObject(hashes(4));
    expect(sizes(node, length)).toEqual([2, 2]);
  });

  it('by limiting its rate whenever it gets one gets smaller ones', async () => {
    const clock = createManualClock();
    const { node, ask } = await setUp({}, createCommon({ clock }));
    takesAtMost(node, 1, (response) => response.writeHead(429, { 'retry-after': '0' }).end());
    for (let attempt = 0; attempt < 3; attempt++)
      await expect(ask(3)).rejects.toMatchObject({ code: 'RPC_RATE_LIMITED' });
    expect(await ask(3)).toMatchObject(hashes(3));
    const { length } = node.requests;
    expect(await ask(3)).toMatchObject(hashes(3));
    expect(sizes(node, length)).toEqual([1, 1, 1]);
  });

  it('only for a while gets larger ones again, slowly', async () => {
    const clock = createManualClock();
    const { node, ask } = await setUp({ maxBatchCalls: 4, chainRecheckMs: 3_600_000 }, createCommon({ clock }));
    takesAtMost(node, 1, REFUSALS['one error']!);
    await ask(4);
    await ask(4);
    node.onRequest = null;
    const later: number[][] = [];
    for (let step = 0; step < 3; step++) {
      const { length } = node.requests;
      await ask(4);
      later.push(sizes(node, length));
      await clock.advance(5 * 60_000);
    }
    expect(later).toEqual([
      [1, 1, 1, 1],
      [1, 2, 1],
      [2, 2],
    ]);
  });

  it('is not taken for one that is broken: its batches stay as they are', async () => {
    const { node, ask } = await setUp();
    node.onRequest = (_, response) => {
      response.writeHead(500).end();
      return true;
    };
    for (let attempt = 0; attempt < 5; attempt++)
      await expect(ask(5)).rejects.toMatchObject({ code: 'RPC_UNAVAILABLE' });
    node.onRequest = null;
    const { length } = node.requests;
    expect(await ask(5)).toMatchObject(hashes(5));
    expect(sizes(node, length)).toEqual([1, 5]);
  });
});
