import { ContractFunctionRevertedError, createPublicClient, type Hex, parseAbi, toFunctionSelector } from 'viem';
import { mainnet } from 'viem/chains';
import { afterEach, describe, expect, it } from 'vitest';
import { createCommon, createRpcPool, RpcError, type RpcPool, type RpcPoolOptions } from '../../../src/index.js';
import { type AnvilChain, startAnvilChain } from '../../support/chain/anvil-chain.js';
import { startRpcProxy } from '../../support/chain/rpc-proxy.js';
import { ON_RAMP } from '../../support/chain/watch.js';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const ANSWER: Hex = '0x1000000000000000000000000000000000000001';
const CLOSED: Hex = '0x1000000000000000000000000000000000000002';
const abi = parseAbi(['function answer() view returns (uint256)', 'function open() view', 'error Closed()']);
/** Returns 42, whatever is asked. */
const ANSWER_CODE = '0x602a60005260206000f3';
/** Reverts with `Closed()`, whatever is asked. */
const CLOSED_CODE = `0x63${toFunctionSelector('Closed()').slice(2)}6000526004601cfd`;

async function chainOf(blocks: number): Promise<AnvilChain> {
  const chain = await startAnvilChain({ onRamp: ON_RAMP });
  cleanups.push(() => chain.stop());
  await chain.rpc('anvil_setCode', [ANSWER, ANSWER_CODE]);
  await chain.rpc('anvil_setCode', [CLOSED, CLOSED_CODE]);
  await chain.mine(blocks);
  return chain;
}

/** The pool of these URLs and a viem client of it; `chain`: viem's definition, for the addresses that it knows. */
function clientOf(urls: readonly string[], options: Partial<RpcPoolOptions> = {}) {
  const pool = createRpcPool({ chainName: 'a', urls, timeoutMs: 60_000, ...options, common: createCommon() });
  cleanups.push(() => pool.close());
  return { pool, client: createPublicClient({ chain: mainnet, transport: pool.transport, cacheTime: 0 }) };
}

const statesOf = (pool: RpcPool) => pool.status().map(({ state }) => state);

describe('a viem client of the pool', () => {
  it('goes on with the second node when the first is killed', async () => {
    const [first, second] = [await chainOf(5), await chainOf(7)];
    const { pool, client } = clientOf([first.anvil.url, second.anvil.url], { chainId: 1337 });
    expect(await client.getChainId()).toBe(1337);
    expect(await client.getBlockNumber()).toBe(5n);
    expect(await client.readContract({ address: ANSWER, abi, functionName: 'answer' })).toBe(42n);
    await first.stop();
    expect(await client.getBlockNumber()).toBe(7n);
    expect(await client.readContract({ address: ANSWER, abi, functionName: 'answer' })).toBe(42n);
    expect(await client.getCode({ address: ANSWER })).toBe(ANSWER_CODE);
    expect(statesOf(pool)).toEqual(['cooling', 'ready']);
  });

  it('reads the reason of a revert, which is asked of no other node and held against none', async () => {
    const [first, second] = [await chainOf(1), await chainOf(1)];
    const proxy = await startRpcProxy(second.anvil.url);
    cleanups.push(() => proxy.close());
    const { pool, client } = clientOf([first.anvil.url, proxy.url], { chainId: 1337 });
    const error = await client
      .readContract({ address: CLOSED, abi, functionName: 'open' })
      .then(null, (thrown) => thrown.walk((each: unknown) => each instanceof ContractFunctionRevertedError));
    expect(error.data.errorName).toBe('Closed');
    expect(proxy.count('eth_call')).toBe(0);
    expect(statesOf(pool)).toEqual(['ready', 'ready']);
  });

  it('asks each node once where viem itself would ask again, and holds a refusal against none', async () => {
    const chain = await chainOf(1);
    const proxies = await Promise.all([1, 2].map(() => startRpcProxy(chain.anvil.url)));
    cleanups.push(async () => void (await Promise.all(proxies.map((proxy) => proxy.close()))));
    for (const proxy of proxies)
      proxy.onCall = async ({ method }, forward) =>
        method === 'eth_getBalance' ? { error: { code: -32603, message: 'internal error' } } : await forward();
    const { pool, client } = clientOf(
      proxies.map(({ url }) => url),
      { chainId: 1337 },
    );
    await expect(client.getBalance({ address: ANSWER })).rejects.toMatchObject({ code: -32603 });
    expect(proxies.map((proxy) => proxy.count('eth_getBalance'))).toEqual([1, 1]);
    expect(statesOf(pool)).toEqual(['ready', 'ready']);
  });

  it('fails with an error that holds no part of a URL', async () => {
    const chain = await chainOf(1);
    const { client } = clientOf([`${chain.anvil.url}/secret-key`], { chainId: 1337 });
    await chain.stop();
    const error = await client.getBlockNumber().then(null, (thrown) => thrown);
    expect(error.walk((each: unknown) => each instanceof RpcError)).toMatchObject({ code: 'RPC_UNAVAILABLE' });
    expect(`${error.message} ${error.stack}`).not.toContain('secret-key');
  });

  it.each([
    ['eth_blockNumber', '12', '0x5'],
    ['eth_getCode', '0xzz', ANSWER_CODE],
  ])('is given no malformed answer to %s: the next node is asked', async (method, malformed, right) => {
    const [first, second] = [await chainOf(5), await chainOf(5)];
    const proxy = await startRpcProxy(first.anvil.url);
    cleanups.push(() => proxy.close());
    const { client } = clientOf([proxy.url, second.anvil.url], { chainId: 1337, headCheckMs: 1e9 });
    await client.getChainId();
    proxy.onCall = async (call, forward) => (call.method === method ? { result: malformed } : await forward());
    const params = method === 'eth_getCode' ? [ANSWER, 'latest'] : [];
    expect(await client.request({ method, params } as never)).toBe(right);
  });
});
