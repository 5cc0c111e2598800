import { afterEach, describe, expect, it } from 'vitest';
import { FinalizedReorgError } from '../../../src/chains/chain-errors.js';
import { type ChainSourceOptions, createChainSource } from '../../../src/chains/chain-source.js';
import { createRpcPool } from '../../../src/chains/rpc/rpc-pool.js';
import type { WatchedRamp } from '../../../src/chains/watch/watched-chain.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { createLogger } from '../../../src/core/logger.js';
import { createChainStore } from '../../../src/indexer/chain-store.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { chainFixture } from '../../support/chain/chain-fixture.js';
import { type EmittedLog, emitterCalldata, LOG_EMITTER_CODE, makeMessageLog } from '../../support/chain/log-emitter.js';
import { ON_RAMP, SOURCE, timedMessages } from '../../support/chain/watch.js';
import { eventually } from '../../support/eventually.js';

/** finalized = latest − 4 */
const { chainOf, proxyOf } = chainFixture(2);
const FINALITY = 4;
const A = ON_RAMP;
const B: Hex = '0xb2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2';
const of = (onRamp: Hex, number: number, says = onRamp) => ({
  at: onRamp,
  ...makeMessageLog({ ...SOURCE, onRamp: says }, number),
});

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A chain with a log emitter at both addresses. */
async function chainOfTwo() {
  const chain = await chainOf();
  await chain.rpc('anvil_setCode', [B, LOG_EMITTER_CODE]);
  const [from] = (await chain.rpc('eth_accounts')) as [Hex];
  const block = async (...logs: readonly (EmittedLog & { readonly at: Hex })[]) => {
    for (const log of logs)
      await chain.rpc('eth_sendTransaction', [{ from, to: log.at, data: emitterCalldata(log), gas: '0x1000000' }]);
    await chain.mine(1);
  };
  return { ...chain, block };
}

function open(): Storage {
  const storage = createMemoryStorage({ name: 'memory' });
  cleanups.push(() => storage.close());
  return storage;
}

const both = (startBlock = 0): WatchedRamp[] => [
  { address: A, startBlock },
  { address: B, startBlock },
];

/** A process that reads these OnRamps into `storage`. */
function start(
  storage: Storage,
  url: string | readonly string[],
  onRamps: readonly WatchedRamp[],
  options: Partial<ChainSourceOptions> & {
    readonly confirmations?: 'latest' | 'finalized';
    readonly maxBlockRange?: number;
  } = {},
) {
  const common = options.common ?? createCommon();
  const rpc = createRpcPool({ chainName: 'a', urls: [url].flat(), common, chainId: 1337, timeoutMs: 60_000 });
  const { confirmations = 'latest', maxBlockRange = 2_000, ...others } = options;
  const source = createChainSource({
    chain: {
      ...{ name: 'a', selector: SOURCE.sourceSelector, onRamps, confirmations, maxBlockRange },
      ...{ pollIntervalMs: 10, haltAfterMs: 0 },
    },
    rpc,
    openStore: (rampAddresses) => createChainStore({ storage, selector: SOURCE.sourceSelector, rampAddresses }),
    writer: storage,
    common,
    cursorEveryMs: 0,
    ...others,
  });
  const controller = new AbortController();
  const ended = source.run(controller.signal).then(
    () => null,
    (error: Error) => error,
  );
  const stop = async () => {
    controller.abort();
    await ended;
    await rpc.close();
  };
  cleanups.push(stop);
  return { source, common, ended, stop };
}

type Running = ReturnType<typeof start>;

async function processed({ source }: Running, block: number): Promise<void> {
  await eventually(`block ${block} is processed`, () => {
    const { processed: done, onRamps } = source.status();
    return ((done ?? -1) >= block && onRamps.every(({ state }) => state === 'watched')) || { done, onRamps };
  });
}

/** Message ids in the lists. */
async function live(storage: Storage): Promise<readonly Hex[]> {
  const { items } = await storage.queryMessages({ limit: 1_000 });
  return items.map(({ messageId }) => messageId).sort();
}

const idsOf = (...messages: readonly { readonly messageId: Hex }[]) =>
  messages.map(({ messageId }) => messageId).sort();

async function cursors(storage: Storage): Promise<readonly (string | null)[]> {
  const found = await storage.listCursors();
  return found.map(({ height, hash }) => `${height} ${hash}`);
}

describe('a chain with two OnRamps', () => {
  it('is read with one filter, each log held against the OnRamp that emitted it', async () => {
    const chain = await chainOfTwo();
    const [a, b, c] = [of(A, 1), of(B, 1), of(B, 2)];
    const lie = of(B, 3, A);
    await chain.block(a, b);
    await chain.block(lie, c);
    const proxy = await proxyOf(chain);
    const storage = open();
    await processed(start(storage, proxy.url, both()), 2);
    expect(await live(storage)).toEqual(idsOf(a, b, c));
    const [quarantined, ...others] = await storage.queryQuarantine({ afterPosition: 0n, limit: 9 });
    expect(others).toEqual([]);
    expect(quarantined).toMatchObject({ reason: 'on_ramp', sourceId: `chain:${SOURCE.sourceSelector}:${B}` });
    const filters = proxy.requests.flat().filter(({ method }) => method === 'eth_getLogs');
    expect(filters.map(({ params }) => (params[0] as { address: unknown }).address)).toContainEqual([A, B]);
  });

  it('finds what a node left out of either of them', async () => {
    const chain = await chainOfTwo();
    const [a, b] = [of(A, 1), of(B, 1)];
    await chain.block(a);
    await chain.block(b);
    await chain.mine(FINALITY);
    const proxy = await proxyOf(chain);
    // by range it omits everything, by block hash it tells
    proxy.onCall = async (call, forward) =>
      call.method === 'eth_getLogs' && 'fromBlock' in (call.params[0] as object) ? { result: [] } : await forward();
    const storage = open();
    await processed(start(storage, proxy.url, both()), 2);
    expect(await live(storage)).toEqual(idsOf(a, b));
  });
});

describe('an OnRamp that is added later (promise 1)', () => {
  it.each([
    ['a little', 0],
    ['far', 1_200],
  ])('%s behind is read from its start block, also what the others passed long ago', async (_, blocks) => {
    const chain = await chainOfTwo();
    const [early, own, late] = [of(B, 1), of(A, 1), of(B, 2)];
    await chain.block(early, own);
    await chain.mine(blocks);
    await chain.block(late);
    await chain.mine(FINALITY);
    const head = await chain.head();
    const storage = open();
    const before = start(storage, chain.anvil.url, both().slice(0, 1));
    await processed(before, head);
    await before.stop();
    expect(await live(storage)).toEqual(idsOf(own));

    const after = start(storage, chain.anvil.url, both());
    await processed(after, head);
    expect(await live(storage)).toEqual(idsOf(early, own, late));
    const [fresh, more] = [of(B, 3), of(A, 2)];
    await chain.block(fresh, more);
    await processed(after, head + 1);
    expect(await live(storage)).toEqual(idsOf(early, own, late, fresh, more));
    const [ofA, ofB] = await cursors(storage);
    expect(ofB).toBe(ofA);
  });

  it('loses nothing when the process ends midway, reads no range twice, and the others go on meanwhile', async () => {
    const chain = await chainOfTwo();
    const sent = [];
    for (let number = 1; number <= 15; number++) {
      const log = of(B, number);
      sent.push(log);
      await chain.block(log);
      await chain.mine(99);
    }
    await chain.mine(FINALITY);
    const storage = open();
    const before = start(storage, chain.anvil.url, both().slice(0, 1));
    await processed(before, await chain.head());
    await before.stop();

    const proxy = await proxyOf(chain);
    const fromBlocks = () =>
      proxy.requests.flat().flatMap(({ method, params }) => {
        const { address, fromBlock } = (params[0] ?? {}) as { address?: unknown; fromBlock?: string };
        return method === 'eth_getLogs' && address === B && fromBlock ? [Number(fromBlock)] : [];
      });
    proxy.onCall = async (call, forward) => {
      const { address, toBlock } = (call.params[0] ?? {}) as { address?: unknown; toBlock?: string };
      const broken = call.method === 'eth_getLogs' && address === B && Number(toBlock) > 700;
      return broken ? { error: { code: -32000, message: 'pruned' } } : await forward();
    };
    const midway = start(storage, proxy.url, both(), { maxBlockRange: 50 });
    const through = () => midway.source.status().onRamps[1]?.through ?? 0;
    await eventually('some of it is read', () => through() > 500 || midway.source.status());
    await eventually('it is told', () => midway.source.status().onRamps[1]?.lastError !== null);
    const own = of(A, 1);
    await chain.block(own);
    await eventually('the others go on', async () => (await live(storage)).includes(own.messageId));
    expect(midway.source.status().onRamps).toMatchObject([{ state: 'watched' }, { state: 'catchingUp' }]);
    await midway.stop();
    const stored = Number((await storage.getCursor(`chain:${SOURCE.sourceSelector}:${B}`))?.height);
    expect(stored).toBeGreaterThan(500);

    proxy.onCall = null;
    proxy.requests.length = 0;
    const last = start(storage, proxy.url, both(), { maxBlockRange: 50 });
    await processed(last, await chain.head());
    expect(await live(storage)).toEqual(idsOf(own, ...sent));
    expect(Math.min(...fromBlocks())).toBe(stored + 1);
    expect((await timedMessages(midway)) + (await timedMessages(last))).toBe(1 + sent.length);
  });

  it('with a start block above the others joins them at once', async () => {
    const chain = await chainOfTwo();
    await chain.mine(20);
    const storage = open();
    const before = start(storage, chain.anvil.url, both().slice(0, 1));
    await processed(before, 20);
    await before.stop();
    const after = start(storage, chain.anvil.url, [both()[0]!, { address: B, startBlock: 1_000 }]);
    const log = of(B, 1);
    await chain.block(log);
    await processed(after, 21);
    expect(await live(storage)).toEqual(idsOf(log));
  });

  it('while another process still reads the first one alone, joins it again and again and misses nothing', async () => {
    const chain = await chainOfTwo();
    const storage = open();
    const old = start(storage, chain.anvil.url, both().slice(0, 1));
    const young = start(storage, chain.anvil.url, both());
    const sent = [];
    for (let number = 1; number <= 25; number++) {
      const logs = [of(A, number), of(B, number)];
      sent.push(...logs);
      await chain.block(...logs);
      await eventually('both are stored', async () => (await live(storage)).length === sent.length);
    }
    expect(await live(storage)).toEqual(idsOf(...sent));
    await old.stop();
    await chain.mine(FINALITY);
    await processed(young, await chain.head());
  });

  it('is one that was left out for a while: what a reorg took meanwhile goes (promise 9)', async () => {
    const chain = await chainOfTwo();
    await chain.mine(10);
    const [kept, taken] = [of(B, 1), of(B, 2)];
    await chain.block(kept);
    await chain.block(taken);
    const storage = open();
    const before = start(storage, chain.anvil.url, both());
    await processed(before, 12);
    await before.stop();
    expect(await live(storage)).toEqual(idsOf(kept, taken));
    await chain.reorg(1);
    await chain.mine(30);
    const without = start(storage, chain.anvil.url, both().slice(0, 1));
    await processed(without, 42);
    await without.stop();
    expect(await live(storage)).toEqual(idsOf(kept, taken));
    await processed(start(storage, chain.anvil.url, both()), 42);
    expect(await live(storage)).toEqual(idsOf(kept));
    expect((await storage.getMessage(taken.messageId)).orphaned).toBe(true);
  });

  it('does not go on when the chain is halted because a finalized block changed', async () => {
    const chain = await chainOfTwo();
    await chain.mine(1_300);
    const storage = open();
    const before = start(storage, chain.anvil.url, both().slice(0, 1));
    await processed(before, 1_300);
    await before.stop();
    const proxy = await proxyOf(chain);
    proxy.onCall = async (call, forward) =>
      call.method === 'eth_getLogs' && (call.params[0] as { address?: unknown }).address === B
        ? { error: { code: -32000, message: 'pruned' } }
        : await forward();
    await chain.reorg(FINALITY + 3, [{ log: of(A, 9), offset: 0 }]);
    await chain.mine(1);
    expect(await start(storage, [proxy.url, chain.anvil.url], both()).ended).toBeInstanceOf(FinalizedReorgError);
  });
});

describe('an OnRamp address without a contract', () => {
  it('is told at start, and is looked at again until there is one', async () => {
    const chain = await chainOfTwo();
    const missing: Hex = `0x${'dd'.repeat(20)}`;
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    const log = createLogger({ level: 'info', format: 'json', destination });
    const storage = open();
    const running = start(storage, chain.anvil.url, [...both(), { address: missing, startBlock: 0 }], {
      codeCheckMs: 20,
      common: createCommon({ log }),
    });
    const codes = () => running.source.status().onRamps.map(({ hasCode }) => hasCode);
    await eventually('it is told', () => codes()[2] === false || codes());
    expect(codes()).toEqual([true, true, false]);
    const told = () => lines.map((line) => JSON.parse(line)).filter(({ address }) => address === missing);
    expect(told()).toMatchObject([{ level: 'warn', chain: 'a' }]);
    await chain.mine(1);
    await processed(running, 1);
    await chain.rpc('anvil_setCode', [missing, LOG_EMITTER_CODE]);
    await eventually('it is there', () => codes()[2] === true || codes());
    expect(told()).toMatchObject([{ level: 'warn' }, { level: 'info', chain: 'a' }]);
    const sent = of(missing, 1);
    await chain.block(sent);
    await processed(running, 2);
    expect(await live(storage)).toEqual(idsOf(sent));
  });
});
