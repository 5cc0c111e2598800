import type { DiscoveryStatus } from './discovery-journal.js';
import type { DiscoverySource } from './discovery-source.js';

/** Reads aggregators that stand in for each other. */
export interface DiscoveryGroup {
  /** Reads until `signal` aborts. May be run again after it ended. @throws the errors of the store. */
  run(signal: AbortSignal): Promise<void>;
  /** Reads the last sequences of the aggregators again: a message that they have announced is missing. */
  lookAgain(): void;
  /** Of each aggregator, in order. */
  status(): readonly DiscoveryStatus[];
}

/**
 * The aggregators of one group, in order of preference. The first is always read; each other is read while all before
 * it are failing, until the first of these answers again. Each has a cursor of its own, so whatever one of them did not
 * give while another was read, it gives later.
 */
export function createDiscoveryGroup(sources: readonly DiscoverySource[]): DiscoveryGroup {
  return {
    run: (signal) => new GroupRun(sources, signal).ended,
    lookAgain: () => {
      for (const source of sources) source.lookAgain();
    },
    status: () => sources.map((source) => source.status()),
  };
}

/** One run of a group: starts and ends the runs of its sources as their states change. */
class GroupRun {
  readonly ended: Promise<void>;
  readonly #sources: readonly DiscoverySource[];
  /** Of each source that is read; the run is over when it leaves. */
  readonly #terms = new Map<DiscoverySource, { readonly stop: AbortController; readonly over: Promise<void> }>();
  readonly #stop = new AbortController();
  #error: unknown = null;

  constructor(sources: readonly DiscoverySource[], signal: AbortSignal) {
    this.#sources = sources;
    this.ended = this.#run(AbortSignal.any([signal, this.#stop.signal]));
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (const source of this.#sources) {
      source.journal.onFailing(() => this.#update(signal));
      source.journal.enter('standby');
    }
    this.#update(signal);
    if (!signal.aborted)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    for (const { stop } of this.#terms.values()) stop.abort();
    await Promise.all([...this.#terms.values()].map(({ over }) => over));
    for (const source of this.#sources) {
      source.journal.onFailing(() => undefined);
      source.journal.enter('stopped');
    }
    if (this.#error !== null) throw this.#error;
  }

  #update(signal: AbortSignal): void {
    let isNeeded = !signal.aborted;
    for (const source of this.#sources) {
      const term = this.#terms.get(source);
      if (isNeeded && !term) this.#begin(source, signal);
      else if (!isNeeded) term?.stop.abort();
      isNeeded &&= source.journal.isFailing;
    }
  }

  #begin(source: DiscoverySource, signal: AbortSignal): void {
    const stop = new AbortController();
    const over = source
      .run(stop.signal)
      .catch((thrown: unknown) => {
        this.#error = thrown;
        this.#stop.abort();
      })
      .finally(() => {
        this.#terms.delete(source);
        if (signal.aborted) return;
        source.journal.enter('standby');
        // another may have failed while this run was ending
        this.#update(signal);
      });
    this.#terms.set(source, { stop, over });
  }
}
