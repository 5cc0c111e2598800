import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { createRpcPool } from '../../../src/chains/rpc/rpc-pool.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { createRestReader } from '../../../src/verifiers/rest-reader.js';
import { type ConnectProxy, startConnectProxy } from '../../support/api/connect-proxy.js';
import { startAnvilChain } from '../../support/chain/anvil-chain.js';
import { ON_RAMP } from '../../support/chain/watch.js';
import { eventually } from '../../support/eventually.js';
import { startVerifierServer } from '../../support/indexer/verifier-server.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closing.splice(0).reverse()) await close();
});

const CCV: Hex = '0x09635f643e140090a9a8dcd712ed6285858cebef';
const LOGIN = 'proxy-user:proxy-pass-1';

/** A proxy to `target` that wants a login, as the environment names it. */
async function proxyTo(target: string): Promise<ConnectProxy> {
  const proxy = await startConnectProxy(new URL(target), LOGIN);
  closing.push(() => proxy.close());
  for (const name of ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy', 'NO_PROXY', 'ALL_PROXY'])
    vi.stubEnv(name, undefined);
  vi.stubEnv('HTTP_PROXY', `http://${LOGIN}@127.0.0.1:${proxy.port}`);
  vi.stubEnv('HTTPS_PROXY', `http://${LOGIN}@127.0.0.1:${proxy.port}`);
  return proxy;
}

function clientOf(...urls: string[]) {
  const client = createRpcPool({ chainName: 'a', urls, common: createCommon() });
  closing.push(() => client.close());
  return client;
}

const ask = (client: ReturnType<typeof clientOf>) =>
  client.withNode((node) => node.heads([]), new AbortController().signal);

it('an RPC node is asked through the proxy that the environment names, over http and ws', async () => {
  const chain = await startAnvilChain({ onRamp: ON_RAMP, slots: 1 });
  closing.push(() => chain.stop());
  const proxy = await proxyTo(chain.anvil.url);
  for (const url of ['http://node.acme.invalid:8545', 'ws://node.acme.invalid:8546'])
    expect((await ask(clientOf(url))).latest.number).toBe(await chain.head());
  expect(new Set(proxy.tunnels)).toEqual(new Set(['node.acme.invalid:8545', 'node.acme.invalid:8546']));

  vi.stubEnv('NO_PROXY', 'acme.invalid');
  await expect(ask(clientOf('http://node.acme.invalid:8545'))).rejects.toThrow(/the connection failed \(E/);
});

it('new heads are subscribed to through the proxy', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  server.on('connection', (socket) => socket.on('message', () => socket.send('{"method":"eth_subscription"}')));
  const proxy = await proxyTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  let heads = 0;
  clientOf('ws://heads.acme.invalid:1').onNewHead(() => heads++);
  await eventually('a head', () => heads > 0);
  expect(proxy.tunnels).toEqual(['heads.acme.invalid:1']);
  for (const socket of server.clients) socket.terminate();
});

it('what is encrypted goes through the proxy for that, and is not read by it', async () => {
  let firstByte = -1;
  const server = createServer().on('connection', (socket) =>
    socket.on('data', (bytes) => (firstByte = bytes[0] ?? -1)),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  const proxy = await proxyTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  vi.stubEnv('HTTP_PROXY', undefined);
  await expect(ask(clientOf('https://node.acme.invalid'))).rejects.toThrow('the connection failed');
  expect(proxy.tunnels).toEqual(['node.acme.invalid:443']);
  await eventually('a TLS hello', () => firstByte >= 0);
  expect([0x16, 0x47, 0x50]).toContain(firstByte);
});

it('a verifier is asked through the proxy, and a proxy that refuses says so', async () => {
  const server = await startVerifierServer();
  closing.push(server.close);
  const proxy = await proxyTo(server.baseUrl);
  const readerOf = (baseUrl: string) => {
    const limits = { requestTimeoutMs: 60_000, batchSize: 1, maxBatchWaitMs: 0, maxResponseBytes: 10_000, retries: 0 };
    const reader = createRestReader({
      name: 'committee',
      issuerAddresses: [CCV],
      baseUrl,
      ...limits,
      common: createCommon(),
    });
    closing.push(() => reader.close());
    return reader;
  };
  const id: Hex = `0x${'1'.repeat(64)}`;
  expect(await readerOf('http://committee.acme.invalid').read(id)).toBeNull();
  expect(server.requests).toHaveLength(1);
  expect(proxy.tunnels).toEqual(['committee.acme.invalid:80']);

  proxy.refuse(407);
  await expect(readerOf('http://other.acme.invalid').read(id)).rejects.toThrow(/network \(.*407/);
});
