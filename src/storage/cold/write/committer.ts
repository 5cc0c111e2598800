import { type Backoff, backoffMs } from '../../../core/backoff.js';
import type { Common } from '../../../core/common.js';
import { IndexerError } from '../../../core/errors.js';
import { DeltaConflictError } from '../delta/delta-errors.js';
import type { Catalog } from '../namespace/catalog.js';
import { ColdBusyError } from '../namespace/namespace-errors.js';
import type { NamespaceView } from '../namespace/view.js';
import type { ChangeBuffer } from './change-buffer.js';
import type { Flush, FlushResult } from './flush.js';
import type { FlushMetrics } from './flush-metrics.js';

const MAX_ATTEMPTS = 8;
/** For so long a writer that is alone takes what it has committed to be there still. */
const CONFIRM_AFTER_MS = 60_000;
const CONFLICT_BACKOFF: Backoff = { baseMs: 20, maxMs: 1000 };

/** What to write, worked out against the state that it will be committed on top of. */
export type PlanFlush = (base: NamespaceView) => Promise<ChangeBuffer | null>;

/** Flushes one after the other, and again on top of what another writer committed first. */
export class Committer {
  readonly #catalog: Catalog;
  readonly #flush: Flush;
  readonly #common: Common;
  readonly #metrics: FlushMetrics;
  #last: Promise<unknown> = Promise.resolve();
  /** What is known of the logs may be old: others write, or the outcome of a commit is open. */
  #mustRefresh = true;
  /** On the monotonic clock. */
  #confirmedAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: {
    readonly catalog: Catalog;
    readonly flush: Flush;
    readonly common: Common;
    readonly metrics: FlushMetrics;
  }) {
    this.#catalog = parts.catalog;
    this.#flush = parts.flush;
    this.#common = parts.common;
    this.#metrics = parts.metrics;
  }

  /** The next write begins with a look at the logs. */
  distrust(): void {
    this.#mustRefresh = true;
  }

  /**
   * Commits what `plan` asks for; it is asked again when someone else was first, or is at it and comes to an end soon. Null when there was nothing to write.
   * @throws what `plan` and `Flush.run` throw.
   */
  write(plan: PlanFlush): Promise<FlushResult | null> {
    const writing = this.#last.then(() => this.#write(plan));
    this.#last = writing.catch(() => undefined);
    return writing;
  }

  /** A commit on top of what is not there any more would be read by nobody. */
  get #isUnconfirmed(): boolean {
    return this.#catalog.isLost || this.#common.clock.monotonicMs() - this.#confirmedAtMs >= CONFIRM_AFTER_MS;
  }

  async #write(plan: PlanFlush): Promise<FlushResult | null> {
    const startedMs = this.#common.clock.monotonicMs();
    for (let attempt = 0; ; attempt += 1)
      try {
        const mustConfirm = this.#mustRefresh || this.#isUnconfirmed;
        const base = mustConfirm ? await this.#catalog.confirm() : this.#catalog.view;
        this.#mustRefresh = false;
        if (mustConfirm) this.#confirmedAtMs = startedMs;
        const buffer = await plan(base);
        const result = buffer && (await this.#flush.run(base, buffer));
        if (result) this.#metrics.flushed(result, startedMs);
        return result;
      } catch (thrown) {
        this.#mustRefresh = true;
        const isRace = thrown instanceof DeltaConflictError || thrown instanceof ColdBusyError;
        if (!isRace || attempt + 1 >= MAX_ATTEMPTS) {
          this.#metrics.flushFailed(thrown instanceof IndexerError ? thrown.code : 'UNKNOWN');
          throw thrown;
        }
        await this.#common.clock.sleep(backoffMs(CONFLICT_BACKOFF, attempt, this.#common.random));
      }
  }
}
