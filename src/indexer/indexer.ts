import type { Backoff } from '../core/backoff.js';
import type { Common } from '../core/common.js';
import { ClosedError } from '../core/errors.js';
import type { DiscoveryStatus } from '../discovery/discovery-journal.js';
import type { VerifierReport } from '../model/verifier-report.js';
import type { VerifierRegistry } from '../verifiers/registry.js';
import type { Scheduler, SchedulerStatus } from './scheduler.js';
import {
  createChainRun,
  createDiscoveryRun,
  type SourceRun,
  type SourceRunner,
  type SourceRunStatus,
} from './source-run.js';
import type { Membership, MembershipStatus, SourceWork } from './workers/membership.js';
import { createSoleMember } from './workers/sole-member.js';

/** The watcher of one chain, as far as the indexer is concerned. */
export interface ChainRunner<Status> extends SourceRunner {
  status(): Status;
}

/** The aggregators of one group, as far as the indexer is concerned. */
export interface DiscoveryRunner extends SourceRunner {
  status(): readonly DiscoveryStatus[];
}

/** For the status page. */
export interface IndexerStatus<Status> {
  readonly chains: readonly (SourceRunStatus & { readonly watcher: Status })[];
  readonly discoveries: readonly (SourceRunStatus & { readonly aggregators: readonly DiscoveryStatus[] })[];
  readonly verifiers: readonly VerifierReport[];
  readonly scheduler: SchedulerStatus;
  readonly membership: MembershipStatus;
}

/** Everything that fills the storage: chain watchers, discovery and the collection of verifications. */
export interface Indexer<Status> {
  /**
   * Works until `signal` aborts or `close` is called. A source that fails or halts does not stop the others.
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
  /** Default: none. */
  readonly discoveries?: readonly DiscoveryRunner[];
  readonly scheduler: Scheduler;
  readonly registry: VerifierRegistry;
  /** Shares the sources with other workers. Default: they are all of this process. */
  readonly membership?: Membership;
  /** Pause before a failed source runs again. Default from 1 s, doubling to 60 s. */
  readonly restartBackoff?: Backoff;
  readonly common: Common;
}

/** Creates the indexer of a process; it owns the run of its parts. */
export function createIndexer<Status>(options: IndexerOptions<Status>): Indexer<Status> {
  return new ChainsAndScheduler(options);
}

class ChainsAndScheduler<Status> implements Indexer<Status> {
  readonly #options: IndexerOptions<Status>;
  readonly #membership: Membership;
  readonly #chains: readonly { readonly watcher: ChainRunner<Status>; readonly run: SourceRun }[];
  readonly #discoveries: readonly { readonly group: DiscoveryRunner; readonly run: SourceRun }[];
  readonly #closing = new AbortController();
  #running: Promise<void> | null = null;
  #closed: Promise<void> | null = null;

  constructor(options: IndexerOptions<Status>) {
    const { common, restartBackoff = { baseMs: 1_000, maxMs: 60_000 } } = options;
    this.#options = options;
    this.#membership = options.membership ?? createSoleMember();
    this.#chains = options.chains.map((watcher) => ({
      watcher,
      run: createChainRun(watcher, restartBackoff, common),
    }));
    this.#discoveries = (options.discoveries ?? []).map((group) => ({
      group,
      run: createDiscoveryRun(group, restartBackoff, common),
    }));
  }

  run(signal: AbortSignal): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.reject(new ClosedError('indexer'));
    this.#running ??= this.#run(AbortSignal.any([signal, this.#closing.signal]));
    return this.#running;
  }

  status(): IndexerStatus<Status> {
    return {
      chains: this.#chains.map(({ watcher, run }) => ({ ...run.status(), watcher: watcher.status() })),
      discoveries: this.#discoveries.map(({ group, run }) => ({ ...run.status(), aggregators: group.status() })),
      verifiers: this.#options.registry.reports(),
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
    const runs = [...this.#chains, ...this.#discoveries].map(({ run }) => run);
    for (const run of runs) run.begin();
    const works = runs.map((run): [string, SourceWork] => [run.source, (term) => run.run(term, everything)]);
    const scheduler = this.#runScheduler(everything).finally(() => stop.abort());
    const sources = this.#membership.run(new Map(works), everything);
    sources.catch(() => stop.abort());
    for (const outcome of await Promise.allSettled([scheduler, sources]))
      if (outcome.status === 'rejected') throw outcome.reason;
    for (const run of runs) run.end();
  }

  /** Tasks are shared by the members, so these have to be known first. */
  async #runScheduler(signal: AbortSignal): Promise<void> {
    await this.#membership.joined(signal);
    await this.#options.scheduler.run(signal);
  }
}
