import type { Common } from '../../core/common.js';
import { gauge } from '../../core/metrics.js';
import { createRareWarning, type RareWarning } from '../../core/rare-warning.js';
import type { Backend } from '../backend.js';
import { lastKeeper, type PrunedBackend } from './prune-limit.js';

/** Shorter than this is how it goes: a tier that buffers has just not flushed yet. */
const WARN_AFTER_ROUNDS = 10;

/**
 * Tells when a backend keeps records past their retention because another durable one does not hold them. That must be
 * so, but the other backend may be dead, and the database then grows without any other sign.
 */
export class PruneHoldup {
  readonly #pruned: PrunedBackend;
  readonly #backends: readonly Backend[];
  readonly #clock: Common['clock'];
  readonly #heldSeconds: { set(labels: Readonly<Record<string, string>>, value: number): void };
  readonly #warn: RareWarning;
  #held: { readonly sinceMs: number; readonly rounds: number } | null = null;

  constructor(pruned: PrunedBackend, backends: readonly Backend[], common: Common) {
    this.#pruned = pruned;
    this.#backends = backends;
    this.#clock = common.clock;
    this.#warn = createRareWarning(common);
    this.#heldSeconds = gauge(common.metrics, {
      name: 'indexer_sink_prune_held_seconds',
      help:
        'For how long a backend has kept records past their retention because another durable ' +
        'one does not hold them; 0: it need not',
      labelNames: ['backend'],
    });
  }

  /** Looks after a round. `silent`: a tier that could not say where it stands. */
  async look(silent: string | null): Promise<void> {
    const by = await this.#heldBy(silent);
    const { sinceMs, rounds } = this.#held ?? { sinceMs: this.#clock.monotonicMs(), rounds: 0 };
    this.#held = by === null ? null : { sinceMs, rounds: rounds + 1 };
    const heldMs = by === null ? 0 : this.#clock.monotonicMs() - sinceMs;
    const backend = this.#pruned.name;
    this.#heldSeconds.set({ backend }, heldMs / 1000);
    if (by !== null && rounds + 1 >= WARN_AFTER_ROUNDS)
      this.#warn({ backend, heldBy: by, heldMs }, 'pruning is held up: another backend does not hold what should go');
  }

  async #heldBy(silent: string | null): Promise<string | null> {
    const { storage, retentionMs } = this.#pruned;
    const wanted = await storage.boundaryAt({ ms: this.#clock.nowMs() - retentionMs - 1 });
    if (silent !== null) return wanted.position > storage.coverage().afterPosition ? silent : null;
    const last = lastKeeper(this.#backends, this.#pruned);
    return last !== null && last.throughPosition < wanted.position ? last.name : null;
  }
}
