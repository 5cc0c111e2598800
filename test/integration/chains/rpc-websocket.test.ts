import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { createRpcPool } from '../../../src/chains/rpc/rpc-pool.js';
import { createCommon } from '../../../src/core/common.js';
import { fakeAnswer, fakeHash } from '../../support/chain/fake-node.js';
import type { ProxiedCall } from '../../support/chain/rpc-proxy.js';
import { eventually } from '../../support/eventually.js';

const HEAD = 100;
const never = new AbortController().signal;
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** What the node sends when it is asked; null: what it should. */
type Fault = (call: ProxiedCall) => string | null;

async function setUp() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => server.once('listening', resolve));
  cleanups.push(async () => {
    for (const socket of server.clients) socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  });
  const node = { sockets: [] as WebSocket[], fault: (() => null) as Fault };
  server.on('connection', (socket) => {
    node.sockets.push(socket);
    socket.on('message', (data) => {
      const call = JSON.parse(data.toString()) as ProxiedCall;
      socket.send(node.fault(call) ?? JSON.stringify({ jsonrpc: '2.0', id: call.id, ...fakeAnswer(call, HEAD) }));
    });
  });
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const rpc = createRpcPool({ chainName: 'a', urls: [url], timeoutMs: 60_000, common: createCommon() });
  cleanups.push(() => rpc.close());
  const ask = (block: number) => rpc.withNode((asked) => asked.headers([block]), never);
  await ask(0);
  return { node, rpc, ask };
}

describe('a node at a WebSocket', () => {
  it.each([
    ['no JSON', 'RPC_INVALID_ANSWER', 'so be it'],
    ['nesting without an end', 'RPC_INVALID_ANSWER', '['.repeat(1_000_000)],
    ['a number without an end', 'RPC_INVALID_ANSWER', `{"id":${'9'.repeat(1_000_000)}}`],
    ['millions of values', 'RPC_UNAVAILABLE', `[${'0,'.repeat(2_000_000)}0]`],
  ])('that answers with %s is asked anew on another connection', async (_, code, text) => {
    const { node, ask } = await setUp();
    node.fault = () => text;
    await expect(ask(5)).rejects.toMatchObject({ code });
    node.fault = () => null;
    expect(await ask(5)).toMatchObject([{ hash: fakeHash(5) }]);
    expect(node.sockets).toHaveLength(2);
  });

  it('that answers one call with what is no answer fails that call alone', async () => {
    const { node, ask } = await setUp();
    node.fault = (call) =>
      call.params[0] === '0x5' ? JSON.stringify({ id: call.id, result: { number: '0x5', hash: null } }) : null;
    const answers = await Promise.allSettled([ask(4), ask(5), ask(6)]);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(node.sockets).toHaveLength(1);
  });

  it('that refuses a request without saying which is not waited for', async () => {
    const { node, ask } = await setUp();
    node.fault = () => JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32700, message: 'what?' } });
    await expect(ask(5)).rejects.toMatchObject({ code: 'RPC_UNAVAILABLE' });
    node.fault = () => null;
    expect(await ask(5)).toMatchObject([{ hash: fakeHash(5) }]);
  });

  it('that talks unasked is not listened to', async () => {
    const { node, ask } = await setUp();
    let sent = false;
    node.sockets[0]?.send('['.repeat(1_000_000), () => {
      sent = true;
    });
    await eventually('it was sent', () => sent);
    // a ping comes back after all that was sent before it
    await new Promise((resolve) => node.sockets[0]?.once('pong', resolve).ping());
    expect(await ask(5)).toMatchObject([{ hash: fakeHash(5) }]);
    expect(node.sockets).toHaveLength(1);
  });
});
