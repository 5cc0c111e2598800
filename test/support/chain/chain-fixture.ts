import { afterEach, expect } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import { type AnvilChain, startAnvilChain } from './anvil-chain.js';
import { makeMessageLog } from './log-emitter.js';
import type { MemoryChainStore } from './memory-chain-store.js';
import { type ProxiedCall, type RpcProxy, startRpcProxy } from './rpc-proxy.js';
import { liveOnChain, ON_RAMP, type RunningWatcher, SOURCE, type WatchOptions, watch } from './watch.js';

/** Chains and what watches them; all of it ends after the test that started it. */
export interface ChainFixture {
  chainOf(options?: { readonly chainId?: number }): Promise<AnvilChain>;
  proxyOf(chain: AnvilChain): Promise<RpcProxy>;
  /** A watcher of the chain. */
  start(chain: AnvilChain, store: MemoryChainStore, options?: Partial<WatchOptions>): RunningWatcher;
  /** A watcher of what is at these URLs. */
  startAt(urls: readonly string[], store: MemoryChainStore, options?: Partial<WatchOptions>): RunningWatcher;
}

/** `slots`: safe = latest − `slots`, finalized = latest − 2 × `slots`. */
export function chainFixture(slots: number): ChainFixture {
  const cleanups: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  const startAt: ChainFixture['startAt'] = (urls, store, options = {}) => {
    const running = watch({ urls, store, ...options });
    cleanups.push(() => running.stop());
    return running;
  };
  return {
    async chainOf(options = {}) {
      const chain = await startAnvilChain({ onRamp: ON_RAMP, slots, ...options });
      cleanups.push(() => chain.stop());
      return chain;
    },
    async proxyOf(chain) {
      const proxy = await startRpcProxy(chain.anvil.url);
      cleanups.push(() => proxy.close());
      return proxy;
    },
    start: (chain, store, options) => startAt([chain.anvil.url], store, options),
    startAt,
  };
}

/** The message of that number; `data`: its payload, when it is to have another id. */
export const message = (number: number, data?: Hex) => makeMessageLog(SOURCE, number, data ? { data } : {});

/** Blocks with a message in every `everyNth`. Returns the head. */
export async function fill(chain: AnvilChain, blocks: number, everyNth = 1): Promise<number> {
  for (let number = 1; number <= blocks; number++) await chain.block(...(number % everyNth ? [] : [message(number)]));
  return await chain.head();
}

/** The store holds every message up to `head`, and none was ever taken away. */
export async function expectComplete(chain: AnvilChain, store: MemoryChainStore, head: number): Promise<void> {
  expect(store.content().live).toEqual(await liveOnChain(chain, head));
  expect(store.content().orphaned).toEqual([]);
}

/** What the chain answers to a question about a block, were it asked about another one. */
export async function forwardAs(chain: AnvilChain, call: ProxiedCall, block: string) {
  return { result: await chain.rpc(call.method, [block, false]) };
}
