import { describe, expect, it } from 'vitest';
import { createChainWatcher } from '../../../src/chains/watch/chain-watcher.js';
import type { Confirmations } from '../../../src/chains/watch/finality-view.js';
import type { Clock } from '../../../src/core/clock.js';
import { createCommon } from '../../../src/core/common.js';
import { AbortedError } from '../../../src/core/errors.js';
import { seededRandom } from '../../../src/core/random.js';
import { MemoryChainStore } from '../../support/chain/memory-chain-store.js';
import { SimulatedChain } from '../../support/chain/simulated-chain.js';
import { OFF_RAMP, ON_RAMP, SOURCE } from '../../support/chain/watch.js';

/** Time that passes only while someone sleeps, and then at once. */
function hastyClock(): Clock {
  let elapsedMs = 0;
  return {
    nowMs: () => 1_763_000_000_000 + elapsedMs,
    monotonicMs: () => elapsedMs,
    async sleep(durationMs, signal) {
      elapsedMs += durationMs;
      await new Promise((resolve) => setImmediate(resolve));
      if (signal?.aborted) throw new AbortedError('sleep');
    },
    after: () => () => undefined,
    every: () => () => undefined,
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function simulate(seed: number) {
  const random = seededRandom(seed);
  const chain = new SimulatedChain(random, {
    change: 0.15,
    reorg: random() * 0.6,
    failure: random() * 0.15,
    omission: random() * 0.2,
    emptyBlooms: seed % 5 === 0,
  });
  chain.grow(random() < 0.4 ? 400 : 20, 10);
  const store = new MemoryChainStore();
  const clock = hastyClock();
  const confirmations: Confirmations = (['latest', 2, 'safe', 'finalized'] as const)[seed % 4] ?? 'latest';
  const cursorEveryMs = random() < 0.5 ? 0 : 5_000;
  // most windows are wider than what is linked at once
  const linkBlocks = random() < 0.3 ? 512 : 1 + Math.floor(random() * 8);

  async function live(until: (watcher: ReturnType<typeof createChainWatcher>) => boolean) {
    const watcher = createChainWatcher({
      chain: {
        name: 'a',
        selector: SOURCE.sourceSelector,
        onRamps: [{ address: ON_RAMP, startBlock: 0 }],
        offRamps: [{ address: OFF_RAMP, startBlock: 0 }],
        confirmations,
        pollIntervalMs: 1_000,
        maxBlockRange: 1 + Math.floor(random() * 60),
      },
      rpc: chain.client(),
      store,
      writer: store,
      common: createCommon({ clock, random }),
      cursorEveryMs,
      linkBlocks,
    });
    const controller = new AbortController();
    let failure: unknown = null;
    const run = watcher.run(controller.signal).catch((error: unknown) => {
      failure = error;
    });
    while (!failure && !until(watcher)) await turn();
    controller.abort();
    await run;
    if (failure) throw failure;
  }

  for (let life = 0; life < 4; life++) {
    let commits = Math.floor(random() * 12);
    let turns = 2_000;
    store.onCommit = () => {
      commits--;
      const fate = random();
      return commits < 0 || fate < 0.05 ? 'fail' : fate < 0.1 ? 'fail after' : 'ok';
    };
    await live(() => commits < 0 || turns-- < 0);
  }
  store.onCommit = () => 'ok';
  // what was stored from above a head that fell back is only known to be gone once the chain is that high again
  chain.grow(20, 10);
  chain.calm();
  let looks = 3;
  let readThrough = 0;
  await live((watcher) => {
    const { state, lastError, processed, crossCheck } = watcher.status();
    readThrough = processed ?? 0;
    const isDone = crossCheck.unconfirmedBlocks === 0;
    return state === 'following' && lastError === null && processed !== null && isDone && looks-- < 0;
  });
  return { chain, store, confirmations, readThrough };
}

describe('a simulated run of reorgs, failing and lying nodes, lost commits and restarts', () => {
  const SEEDS = 100;

  it(`leaves what is on the chain, for each of ${SEEDS} seeds`, async () => {
    let reorgs = 0;
    let orphanings = 0;
    let orphanedExecutions = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { chain, store, confirmations, readThrough } = await simulate(seed);
      const { live, orphaned, executions } = store.content();
      const [onChain, stored] = [new Set(chain.live()), new Set(live)];
      const phantoms = live.filter((place) => !onChain.has(place));
      const missing = chain.live(readThrough).filter((place) => !stored.has(place));
      const executed = executions.filter((key) => !key.endsWith('orphaned'));
      const lostExecutions = executions.filter((key) => key.endsWith('orphaned'));
      const executedOnChain = new Set(chain.executions());
      phantoms.push(...executed.filter((key) => !executedOnChain.has(key)));
      missing.push(...chain.executions(readThrough).filter((key) => !executed.includes(key)));
      const wronglyOrphaned = confirmations === 'finalized' ? [...orphaned, ...lostExecutions] : [];
      orphanedExecutions += lostExecutions.length;
      expect({ seed, phantoms, missing, wronglyOrphaned }).toEqual({
        seed,
        phantoms: [],
        missing: [],
        wronglyOrphaned: [],
      });
      if (confirmations === 'latest') expect({ seed, readThrough }).toEqual({ seed, readThrough: chain.head });
      reorgs += chain.reorgs;
      orphanings += store.commits.reduce((sum, commit) => sum + commit.orphanings.length, 0);
    }
    expect(reorgs).toBeGreaterThan(SEEDS);
    expect(orphanings).toBeGreaterThan(SEEDS / 10);
    expect(orphanedExecutions).toBeGreaterThan(SEEDS / 10);
  });
});
