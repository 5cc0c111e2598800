import { describe, expect, it } from 'vitest';
import { FinalizedReorgError } from '../../../src/chains/chain-errors.js';
import { createCommon } from '../../../src/core/common.js';
import { AbortedError, IndexerError } from '../../../src/core/errors.js';
import { type ChainRunner, createIndexer } from '../../../src/indexer/indexer.js';
import type { Scheduler } from '../../../src/indexer/scheduler.js';
import type { Membership, SourceWork } from '../../../src/indexer/workers/membership.js';
import { createSoleMember } from '../../../src/indexer/workers/sole-member.js';
import { createVerifierRegistry } from '../../../src/verifiers/registry.js';
import { createManualClock } from '../../support/manual-clock.js';

/** A membership that gives sources and takes them as a test says. */
function givenSources() {
  const terms = new Map<string, { readonly term: AbortController; readonly work: Promise<void> }>();
  let works: ReadonlyMap<string, SourceWork> = new Map();
  const take = async (source: string) => {
    terms.get(source)?.term.abort();
    await terms.get(source)?.work;
  };
  const membership: Membership = {
    ...createSoleMember(),
    async run(given, signal) {
      works = given;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      for (const source of terms.keys()) await take(source);
    },
  };
  return {
    membership,
    take,
    give(source: string) {
      const term = new AbortController();
      terms.set(source, { term, work: works.get(source)!(term.signal) });
    },
  };
}

/** A watcher that does what it is told, run by run; then works until it is stopped. */
function chain(
  name: string,
  ...failures: readonly (Error | 'ends')[]
): ChainRunner<{ runs: number }> & { ended: boolean } {
  let runs = 0;
  return {
    name,
    source: `chain:${name}`,
    ended: false,
    async run(signal) {
      const failure = failures[runs++];
      if (failure === 'ends') return;
      if (failure) throw failure;
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await Promise.resolve();
      this.ended = true;
      throw new AbortedError('watcher');
    },
    status: () => ({ runs }),
  };
}

const scheduler = (fails?: Error): Scheduler => ({
  run: (signal) =>
    new Promise((resolve, reject) => {
      if (fails) reject(fails);
      else signal.addEventListener('abort', () => resolve(), { once: true });
    }),
  status: () => ({}) as ReturnType<Scheduler['status']>,
});

const hash = `0x${'11'.repeat(32)}` as const;
const reorg = new FinalizedReorgError({
  chain: 'b',
  blockNumber: 1,
  expectedHash: hash,
  claims: [{ url: 0, hash: hash, sinceMs: 0 }],
});
const transient = () => new IndexerError('RPC_UNAVAILABLE', 'no node answers', true);

function setUp(chains: ChainRunner<{ runs: number }>[], fails?: Error, membership?: Membership) {
  const clock = createManualClock();
  const common = createCommon({ clock, random: () => 1 });
  const indexer = createIndexer({
    chains,
    scheduler: scheduler(fails),
    registry: createVerifierRegistry([]),
    restartBackoff: { baseMs: 1_000, maxMs: 4_000 },
    ...(membership ? { membership } : {}),
    common,
  });
  const stop = new AbortController();
  return { clock, indexer, stop, run: indexer.run(stop.signal), common };
}

describe('the indexer', () => {
  it('runs a failed chain again after a pause that doubles, and leaves the others alone', async () => {
    const a = chain('a', transient(), transient(), 'ends', new TypeError('bug'));
    const b = chain('b');
    const { clock, indexer, stop, run } = setUp([a, b]);
    await clock.settle();
    expect(indexer.status().chains).toMatchObject([
      { name: 'a', state: 'restarting', restarts: 1, lastError: { code: 'RPC_UNAVAILABLE' }, watcher: { runs: 1 } },
      { name: 'b', state: 'running', restarts: 0, lastError: null, watcher: { runs: 1 } },
    ]);
    await clock.advance(999);
    expect(a.status().runs).toBe(1);
    await clock.advance(1);
    expect(a.status().runs).toBe(2);
    await clock.advance(2_000);
    expect(a.status().runs).toBe(3);
    await clock.advance(4_000);
    expect(indexer.status().chains[0]).toMatchObject({ state: 'restarting', lastError: { code: 'TypeError' } });
    await clock.advance(4_000);
    expect(indexer.status().chains[0]).toMatchObject({ state: 'running', restarts: 4 });
    stop.abort();
    await run;
    expect(b.ended).toBe(true);
    expect(indexer.status().chains.map(({ state }) => state)).toEqual(['stopped', 'stopped']);
    expect(clock.pending).toBe(0);
  });

  it('halts a chain whose finalized block changed, for good and loudly, and no other', async () => {
    const a = chain('a');
    const b = chain('b', reorg);
    const { clock, indexer, common, run } = setUp([a, b]);
    await clock.advance(60_000);
    expect(indexer.status().chains).toMatchObject([
      { name: 'a', state: 'running' },
      { name: 'b', state: 'halted', restarts: 0, lastError: { code: 'FINALIZED_REORG' } },
    ]);
    const halted = await common.metrics.getSingleMetric('indexer_chain_halted_bool')?.get();
    expect(halted?.values).toMatchObject([
      { labels: { chain: 'a' }, value: 0 },
      { labels: { chain: 'b' }, value: 1 },
    ]);
    await indexer.close();
    await run;
    expect(a.ended).toBe(true);
    expect(indexer.status().chains[1]?.state).toBe('halted');
  });

  it('runs a chain while it owns it, and leaves a halt to the worker that owns the chain after it', async () => {
    const { membership, give, take } = givenSources();
    const [a, b] = [chain('a'), chain('b', reorg)];
    const { clock, indexer, common, stop, run } = setUp([a, b], undefined, membership);
    await clock.settle();
    const states = () => indexer.status().chains.map(({ state }) => state);
    const halted = async () => (await common.metrics.getSingleMetric('indexer_chain_halted_bool')?.get())?.values[1];
    expect(states()).toEqual(['elsewhere', 'elsewhere']);
    expect(a.status().runs).toBe(0);
    give('chain:a');
    give('chain:b');
    await clock.settle();
    expect(states()).toEqual(['running', 'halted']);
    expect(await halted()).toMatchObject({ labels: { chain: 'b' }, value: 1 });
    await take('chain:a');
    await take('chain:b');
    expect(states()).toEqual(['elsewhere', 'elsewhere']);
    expect(await halted()).toMatchObject({ labels: { chain: 'b' }, value: 0 });
    give('chain:a');
    await clock.settle();
    expect([states()[0], a.status().runs]).toEqual(['running', 2]);
    stop.abort();
    await run;
    expect(states()).toEqual(['stopped', 'stopped']);
  });

  it('ends when the scheduler breaks, after the chains have ended, and says why', async () => {
    const a = chain('a');
    const { run, indexer } = setUp([a], new Error('broken'));
    await expect(run).rejects.toThrow('broken');
    expect(a.ended).toBe(true);
    await indexer.close();
    await expect(indexer.run(new AbortController().signal)).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
