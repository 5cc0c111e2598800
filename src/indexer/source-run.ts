import { FinalizedReorgError } from '../chains/chain-errors.js';
import { type Backoff, backoffMs } from '../core/backoff.js';
import type { Common } from '../core/common.js';
import { ClosedError, toError } from '../core/errors.js';
import { counter, gauge } from '../core/metrics.js';

/** A source of messages: the watcher of a chain, or the aggregators of a group. */
export interface SourceRunner {
  readonly name: string;
  /** Its name among the sources that workers share. */
  readonly source: string;
  /** Works until `signal` aborts. May be run again after it threw: it reads its cursor anew. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * `running` · `elsewhere`: another worker owns it, or none does yet · `restarting`: it failed, and runs again after a
 * pause · `halted`: a finalized block changed, and a person has to decide · `stopped`: not begun yet, or the indexer
 * ended.
 */
export type SourceState = 'running' | 'elsewhere' | 'restarting' | 'halted' | 'stopped';

/** For the status page. */
export interface SourceRunStatus {
  readonly name: string;
  readonly state: SourceState;
  readonly restarts: number;
  /** Why it last failed or halted; null when it never did. */
  readonly lastError: { readonly code: string; readonly message: string } | null;
}

/** Runs a source again and again. */
export interface SourceRun {
  readonly source: string;
  status(): SourceRunStatus;
  /** The indexer begins; the source is not this worker's yet. */
  begin(): void;
  /**
   * Runs until `signal` aborts, again after every failure but the one that needs a person. Never throws. `ending`
   * aborts when the indexer ends.
   */
  run(signal: AbortSignal, ending: AbortSignal): Promise<void>;
  /** The indexer has ended. */
  end(): void;
}

/** The part in which kinds of sources differ. */
interface SourceKind {
  readonly kind: 'chain' | 'discovery';
  /** The words of a failure in the log. */
  readonly failed: string;
  restarted(): void;
  /** True when a person has to decide; it is told then, and when the halt is over. */
  halts(error: Error): boolean;
  halted(isHalted: boolean): void;
}

/** The run of a chain's watcher. */
export function createChainRun(watcher: SourceRunner, backoff: Backoff, common: Common): SourceRun {
  const { metrics } = common;
  const labels = { chain: watcher.name };
  const halted = gauge(metrics, {
    name: 'indexer_chain_halted_bool',
    help: '1 when the watcher of a chain stopped because a finalized block changed',
    labelNames: ['chain'],
  });
  const restarts = counter(metrics, {
    name: 'indexer_chain_restarts_total',
    help: 'Times the watcher of a chain failed and was run again',
    labelNames: ['chain'],
  });
  halted.set(labels, 0);
  return new RestartedSource(watcher, backoff, common, {
    kind: 'chain',
    failed: 'chain watcher failed: running it again',
    restarted: () => restarts.inc(labels),
    halts: (error) => error instanceof FinalizedReorgError,
    halted: (isHalted) => halted.set(labels, isHalted ? 1 : 0),
  });
}

/** The run of a group of aggregators. */
export function createDiscoveryRun(group: SourceRunner, backoff: Backoff, common: Common): SourceRun {
  const restarts = counter(common.metrics, {
    name: 'indexer_discovery_restarts_total',
    help: 'Times the discovery of a group of aggregators failed, most often for the storage, and was run again',
    labelNames: ['target'],
  });
  return new RestartedSource(group, backoff, common, {
    kind: 'discovery',
    failed: 'discovery failed: running it again',
    restarted: () => restarts.inc({ target: group.name }),
    halts: () => false,
    halted: () => undefined,
  });
}

class RestartedSource implements SourceRun {
  readonly #runner: SourceRunner;
  readonly #backoff: Backoff;
  readonly #common: Common;
  readonly #kind: SourceKind;
  #state: SourceState = 'stopped';
  #restarts = 0;
  #lastError: SourceRunStatus['lastError'] = null;

  constructor(runner: SourceRunner, backoff: Backoff, common: Common, kind: SourceKind) {
    this.#runner = runner;
    this.#backoff = backoff;
    this.#common = common;
    this.#kind = kind;
  }

  get source(): string {
    return this.#runner.source;
  }

  status(): SourceRunStatus {
    return { name: this.#runner.name, state: this.#state, restarts: this.#restarts, lastError: this.#lastError };
  }

  begin(): void {
    this.#state = 'elsewhere';
  }

  end(): void {
    if (this.#state === 'elsewhere') this.#state = 'stopped';
  }

  async run(signal: AbortSignal, ending: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#common;
    const { kind } = this.#kind;
    const named = { [kind]: this.#runner.name };
    for (let failures = 0; !signal.aborted; failures++) {
      const startMs = clock.monotonicMs();
      this.#state = 'running';
      const error = await this.#runOnce(signal);
      if (signal.aborted) break;
      this.#lastError = { code: 'code' in error ? String(error.code) : error.name, message: error.message };
      if (this.#kind.halts(error)) {
        this.#state = 'halted';
        this.#kind.halted(true);
        log.fatal({ err: error, ...named }, 'chain halted: a finalized block changed');
        await untilAborted(signal);
        if (ending.aborted) return;
        this.#kind.halted(false);
        break;
      }
      // one that ran well for longer than the longest pause starts over with the shortest
      if (clock.monotonicMs() - startMs > this.#backoff.maxMs) failures = 0;
      this.#state = 'restarting';
      this.#restarts++;
      this.#kind.restarted();
      log.error({ err: error, ...named, restarts: this.#restarts }, this.#kind.failed);
      // an abort ends the loop at its head
      await Promise.allSettled([clock.sleep(backoffMs(this.#backoff, failures, random), signal)]);
    }
    this.#state = ending.aborted ? 'stopped' : 'elsewhere';
  }

  async #runOnce(signal: AbortSignal): Promise<Error> {
    const { name } = this.#runner;
    try {
      await this.#runner.run(signal);
      return new ClosedError(this.#kind.kind === 'chain' ? `watcher of chain ${name}` : `discovery ${name}`);
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
