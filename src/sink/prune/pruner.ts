import type { Common } from '../../core/common.js';
import { codeOf, toError } from '../../core/errors.js';
import { counter, gauge } from '../../core/metrics.js';
import { buffers, type PruneOutcome } from '../../storage/backend-storage.js';
import type { Backend } from '../backend.js';
import { PruneHoldup } from './prune-holdup.js';
import { type PrunedBackend, pruneLimit } from './prune-limit.js';

/** A tier that cannot say for so long where it stands is taken to be away. */
const CONFIRM_MS = 30_000;

/**
 * Removes records older than their retention from warm backends, about once a minute.
 *
 * ```
 * waiting ── interval ──▶ pruning ── done, or failed (counted, tried again next time) ──▶ waiting
 * any ────── close() ───▶ closed     (between two transactions)
 * ```
 *
 * Invariant: no record is pruned above the coverage of any durable follower, which is committed and checked. So the
 * cold tier has it for good, and no follower needs a pruned change. A backend that was never heard of stands at 0,
 * and nothing is pruned until it was. Before each round the cold tiers look whether their commits are still there;
 * while one cannot, nothing is pruned.
 */
export class Pruner {
  readonly #pruned: readonly (PrunedBackend & { readonly holdup: PruneHoldup })[];
  readonly #backends: readonly Backend[];
  readonly #common: Common;
  readonly #intervalMs: number;
  readonly #metrics: ReturnType<typeof createMetrics>;
  readonly #closing = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(parts: {
    readonly pruned: readonly PrunedBackend[];
    readonly backends: readonly Backend[];
    readonly common: Common;
    readonly intervalMs: number;
  }) {
    this.#pruned = parts.pruned.map((each) => ({
      ...each,
      holdup: new PruneHoldup(each, parts.backends, parts.common),
    }));
    this.#backends = parts.backends;
    this.#common = parts.common;
    this.#intervalMs = parts.intervalMs;
    this.#metrics = createMetrics(parts.common);
  }

  /** Begins, unless there is nothing to prune. */
  start(): void {
    if (this.#pruned.length > 0) this.#loop = this.#run();
  }

  /** Stops; a transaction under way is awaited. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      // aborted: the loop's condition sees it
      await this.#common.clock.sleep(this.#intervalMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      const silent = await this.#silentTier();
      for (const backend of this.#pruned) {
        if (signal.aborted) return;
        if (silent === null) await this.#prune(backend);
        else this.#metrics.failed(backend.name);
        // a backend that cannot even say this has failed to be pruned, too
        if (!signal.aborted) await backend.holdup.look(silent).catch(() => undefined);
      }
    }
  }

  /** A tier that buffers and could not look where it stands; null: all could. */
  async #silentTier(): Promise<string | null> {
    const ending = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, ending.signal]);
    const silent = new Set<string>();
    const looks = this.#backends.map(async ({ name, storage }) => {
      if (!buffers(storage)) return;
      silent.add(name);
      try {
        await storage.refresh();
        silent.delete(name);
      } catch (thrown) {
        const told = { backend: name, code: codeOf(thrown), err: toError(thrown) };
        this.#common.log.debug(told, 'nothing is pruned: no look at the cold tier');
      }
    });
    const late = this.#common.clock.sleep(CONFIRM_MS, signal).catch(() => undefined);
    try {
      await Promise.race([Promise.all(looks), late]);
    } finally {
      ending.abort();
    }
    const [first = null] = silent;
    return first;
  }

  async #prune(backend: PrunedBackend): Promise<void> {
    const upTo = pruneLimit(this.#backends, backend, this.#common.clock.nowMs());
    if (upTo === null) return;
    try {
      const outcome = await backend.storage.prune(upTo, { signal: this.#closing.signal });
      this.#metrics.pruned(backend.name, outcome);
      if (outcome.messages + outcome.verifierResults > 0)
        this.#common.log.debug(
          { backend: backend.name, ...outcome, floor: { ...outcome.floor, position: String(outcome.floor.position) } },
          'backend pruned',
        );
    } catch (thrown) {
      if (this.#closing.signal.aborted) return;
      this.#metrics.failed(backend.name);
      this.#common.log.warn({ backend: backend.name, code: codeOf(thrown), err: toError(thrown) }, 'pruning failed');
    }
  }
}

function createMetrics({ metrics }: Common) {
  const records = counter(metrics, {
    name: 'indexer_sink_pruned_records_total',
    help: 'Records removed from a backend because the cold tier holds them',
    labelNames: ['backend', 'record'],
  });
  const failures = counter(metrics, {
    name: 'indexer_sink_prune_failures_total',
    help: 'Rounds of pruning that failed; the next one goes on',
    labelNames: ['backend'],
  });
  const floorSeconds = gauge(metrics, {
    name: 'indexer_sink_prune_floor_timestamp_seconds',
    help: 'Ingestion time (unix) at and below which a backend is pruned; -1: nothing was',
    labelNames: ['backend'],
  });
  const floorPosition = gauge(metrics, {
    name: 'indexer_sink_prune_floor_position',
    help: 'Position at and below which a backend is pruned',
    labelNames: ['backend'],
  });
  return {
    failed: (backend: string) => failures.inc({ backend }),
    pruned(backend: string, { messages, verifierResults, floor }: PruneOutcome) {
      records.inc({ backend, record: 'message' }, messages);
      records.inc({ backend, record: 'verifierResult' }, verifierResults);
      floorSeconds.set({ backend }, floor.ingestionMs < 0 ? -1 : floor.ingestionMs / 1000);
      floorPosition.set({ backend }, Number(floor.position));
    },
  };
}
