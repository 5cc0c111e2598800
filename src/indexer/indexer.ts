import { FinalizedReorgError } from '../chains/chain-errors.js';
import { type Backoff, backoffMs } from '../core/backoff.js';
import type { Common } from '../core/common.js';
import { ClosedError, toError } from '../core/errors.js';
import { counter, gauge } from '../core/metrics.js';
import type { VerifierRegistry } from '../verifiers/registry.js';
import type { Scheduler, SchedulerStatus } from './scheduler.js';
import type { Membership, MembershipStatus, SourceWork } from './workers/membership.js';
import { createSoleMember } from './workers/sole-member.js';

/** The watcher of one chain, as far as the indexer is concerned. */
export interface ChainRunner<Status> {
  readonly name: string;
  /** Its name among the sources that workers share. */
  readonly source: string;
  /** Works until `signal` aborts. May be run again after it threw: it reads its cursor anew. */
  run(signal: AbortSignal): Promise<void>;
  status(): Status;
}

/**
 * `running` · `elsewhere`: another worker owns it, or none does yet · `restarting`: it failed, and runs again after a
 * pause · `halted`: a finalized block changed, and a person has to decide · `stopped`: not begun yet, or the indexer
 * ended.
 */
export type ChainState = 'running' | 'elsewhere' | 'restarting' | 'halted' | 'stopped';

/** For the status page. */
export interface IndexerStatus<Status> {
  readonly chains: readonly {
    readonly name: string;
    readonly state: ChainState;
    readonly restarts: number;
    /** Why it last failed or halted; null when it never did. */
    readonly lastError: { readonly code: string; readonly message: string } | null;
    readonly watcher: Status;
  }[];
  readonly scheduler: SchedulerStatus;
  readonly membership: MembershipStatus;
}

/** Everything that fills the storage: chain watchers and the collection of verifications. */
export interface Indexer<Status> {
  /**
   * Works until `signal` aborts or `close` is called. A chain that fails or halts does not stop the others.
   * @throws the scheduler's error, after everything else has ended: without it nothing would be verified.
   */
  run(signal: AbortSignal): Promise<void>;
  status(): IndexerStatus<Status>;
  /** Ends the run and awaits it, then closes the verifier readers. Idempotent. */
  close(): Promise<void>;
}

/** The parts of an indexer. */
export interface IndexerOptions<Status> {
  readonly chains: readonly ChainRunner<Status>[];
  readonly scheduler: Scheduler;
  readonly registry: VerifierRegistry;
  /** Shares the chains with other workers. Default: they are all of this process. */
  readonly membership?: Membership;
  /** Pause before a failed watcher runs again. Default from 1 s, doubling to 60 s. */
  readonly restartBackoff?: Backoff;
  readonly common: Common;
}

interface ChainEntry<Status> {
  readonly watcher: ChainRunner<Status>;
  state: ChainState;
  restarts: number;
  lastError: { readonly code: string; readonly message: string } | null;
}

/** Creates the indexer of a process; it owns the run of its parts. */
export function createIndexer<Status>(options: IndexerOptions<Status>): Indexer<Status> {
  return new ChainsAndScheduler(options);
}

class ChainsAndScheduler<Status> implements Indexer<Status> {
  readonly #options: IndexerOptions<Status>;
  readonly #membership: Membership;
  readonly #restartBackoff: Backoff;
  readonly #chains: readonly ChainEntry<Status>[];
  readonly #closing = new AbortController();
  readonly #metrics;
  #running: Promise<void> | null = null;
  #closed: Promise<void> | null = null;

  constructor(options: IndexerOptions<Status>) {
    this.#options = options;
    this.#membership = options.membership ?? createSoleMember();
    this.#restartBackoff = options.restartBackoff ?? { baseMs: 1_000, maxMs: 60_000 };
    this.#chains = options.chains.map((watcher) => ({ watcher, state: 'stopped', restarts: 0, lastError: null }));
    this.#metrics = {
      halted: gauge(options.common.metrics, {
        name: 'indexer_chain_halted_bool',
        help: '1 when the watcher of a chain stopped because a finalized block changed',
        labelNames: ['chain'],
      }),
      restarts: counter(options.common.metrics, {
        name: 'indexer_chain_restarts_total',
        help: 'Times the watcher of a chain failed and was run again',
        labelNames: ['chain'],
      }),
    };
    for (const { watcher } of this.#chains) this.#metrics.halted.set({ chain: watcher.name }, 0);
  }

  run(signal: AbortSignal): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.reject(new ClosedError('indexer'));
    this.#running ??= this.#run(AbortSignal.any([signal, this.#closing.signal]));
    return this.#running;
  }

  status(): IndexerStatus<Status> {
    return {
      chains: this.#chains.map(({ watcher, state, restarts, lastError }) => ({
        name: watcher.name,
        state,
        restarts,
        lastError,
        watcher: watcher.status(),
      })),
      scheduler: this.#options.scheduler.status(),
      membership: this.#membership.status(),
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    // the caller of run is told of its failure
    await Promise.allSettled([this.#running]);
    await this.#options.registry.close();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const everything = AbortSignal.any([signal, stop.signal]);
    for (const chain of this.#chains) chain.state = 'elsewhere';
    const works = this.#chains.map((chain): [string, SourceWork] => [
      chain.watcher.source,
      (term) => this.#runChain(chain, term, everything),
    ]);
    const scheduler = this.#runScheduler(everything).finally(() => stop.abort());
    const sources = this.#membership.run(new Map(works), everything);
    sources.catch(() => stop.abort());
    for (const outcome of await Promise.allSettled([scheduler, sources]))
      if (outcome.status === 'rejected') throw outcome.reason;
    for (const chain of this.#chains) if (chain.state === 'elsewhere') chain.state = 'stopped';
  }

  /** Tasks are shared by the members, so these have to be known first. */
  async #runScheduler(signal: AbortSignal): Promise<void> {
    await this.#membership.joined(signal);
    await this.#options.scheduler.run(signal);
  }

  /**
   * Runs one chain until `signal` aborts, again after every failure but the one that needs a person. Never throws.
   * `ending` aborts when the indexer ends.
   */
  async #runChain(chain: ChainEntry<Status>, signal: AbortSignal, ending: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#options.common;
    const { name } = chain.watcher;
    for (let failures = 0; !signal.aborted; failures++) {
      const startMs = clock.monotonicMs();
      chain.state = 'running';
      const error = await this.#runOnce(chain.watcher, signal);
      if (signal.aborted) break;
      chain.lastError = { code: 'code' in error ? String(error.code) : error.name, message: error.message };
      if (error instanceof FinalizedReorgError) {
        chain.state = 'halted';
        this.#metrics.halted.set({ chain: name }, 1);
        log.fatal({ err: error, chain: name }, 'chain halted: a finalized block changed');
        await untilAborted(signal);
        if (ending.aborted) return;
        this.#metrics.halted.set({ chain: name }, 0);
        break;
      }
      // one that ran well for longer than the longest pause starts over with the shortest
      if (clock.monotonicMs() - startMs > this.#restartBackoff.maxMs) failures = 0;
      chain.state = 'restarting';
      chain.restarts++;
      this.#metrics.restarts.inc({ chain: name });
      log.error({ err: error, chain: name, restarts: chain.restarts }, 'chain watcher failed: running it again');
      // an abort ends the loop at its head
      await Promise.allSettled([clock.sleep(backoffMs(this.#restartBackoff, failures, random), signal)]);
    }
    chain.state = ending.aborted ? 'stopped' : 'elsewhere';
  }

  async #runOnce(watcher: ChainRunner<Status>, signal: AbortSignal): Promise<Error> {
    try {
      await watcher.run(signal);
      return new ClosedError(`watcher of chain ${watcher.name}`);
    } catch (thrown) {
      return toError(thrown);
    }
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
