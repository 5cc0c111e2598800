import { type Backoff, backoffMs } from '../../../core/backoff.js';
import type { Common } from '../../../core/common.js';
import { IndexerError } from '../../../core/errors.js';
import { DeltaConflictError } from '../delta/delta-errors.js';
import type { Catalog } from '../namespace/catalog.js';
import { FlushBusyError, FlushPutOffError } from '../namespace/namespace-errors.js';
import type { Survey } from '../namespace/unnamed.js';
import type { NamespaceView } from '../namespace/view.js';
import { ObjectNotFoundError } from '../object-store/object-store-errors.js';
import type { FlushPlan } from './change-buffer.js';
import type { Flush, FlushResult } from './flush.js';
import type { FlushMetrics } from './flush-metrics.js';

const MAX_ATTEMPTS = 8;
/** A lone writer trusts its own commits for so long without looking. */
const CONFIRM_AFTER_MS = 60_000;
const CONFLICT_BACKOFF: Backoff = { baseMs: 20, maxMs: 1000 };

/** Plans a flush against the state that it will be committed on top of; null: nothing to write. */
export type PlanFlush = (base: NamespaceView) => Promise<FlushPlan | null>;

/** Runs flushes one after the other, and again on top of a commit that another writer made first. */
export class Committer {
  readonly #catalog: Catalog;
  readonly #flush: Flush;
  readonly #common: Common;
  readonly #metrics: FlushMetrics;
  #last: Promise<unknown> = Promise.resolve();
  /** The known state of the logs may be old: others write, or the outcome of a commit is open. */
  #mustRefresh = false;
  /** On the monotonic clock. */
  #confirmedAtMs: number;
  /** The state that the namespace was opened with, until the first write. */
  #opened: Survey | null;

  constructor(parts: {
    readonly catalog: Catalog;
    readonly flush: Flush;
    readonly common: Common;
    readonly metrics: FlushMetrics;
    /** The state that the namespace was opened with, and when it was looked at, on the monotonic clock. */
    readonly opened: Survey;
    readonly openedMs: number;
  }) {
    this.#catalog = parts.catalog;
    this.#flush = parts.flush;
    this.#common = parts.common;
    this.#metrics = parts.metrics;
    this.#opened = parts.opened;
    this.#confirmedAtMs = parts.openedMs;
  }

  /** The next write begins with a look at the logs. */
  distrust(): void {
    this.#mustRefresh = true;
  }

  /**
   * Commits the flush of `plan`, and plans it again when another writer was first, or is flushing. Null when there
   * was nothing to write, or it was put off.
   * @throws the errors of `plan` and of `Flush.run`.
   */
  write(plan: PlanFlush): Promise<FlushResult | null> {
    const writing = this.#last.then(() => this.#write(plan));
    this.#last = writing.catch(() => undefined);
    return writing;
  }

  /** No reader would find a commit on top of a log that is gone. */
  get #isUnconfirmed(): boolean {
    return this.#catalog.isLost || this.#common.clock.monotonicMs() - this.#confirmedAtMs >= CONFIRM_AFTER_MS;
  }

  async #write(plan: PlanFlush): Promise<FlushResult | null> {
    const startedMs = this.#common.clock.monotonicMs();
    for (let attempt = 0; ; attempt += 1)
      try {
        const opened = this.#opened;
        this.#opened = null;
        // the opening has seen more than its view; a read that came further makes it old
        const isOvertaken = opened !== null && opened.view !== this.#catalog.view;
        const mustConfirm = this.#mustRefresh || this.#isUnconfirmed || isOvertaken;
        const base = mustConfirm ? await this.#catalog.survey() : (opened ?? this.#catalog.own);
        this.#mustRefresh = false;
        if (mustConfirm) this.#confirmedAtMs = startedMs;
        const planned = await plan(base.view);
        const result = planned && (await this.#flush.run(base, planned));
        if (result) this.#metrics.flushed(result, startedMs);
        return result;
      } catch (thrown) {
        this.#mustRefresh = true;
        if (thrown instanceof FlushPutOffError) return null;
        // a file that is gone was compacted away since
        const isRace =
          thrown instanceof DeltaConflictError ||
          thrown instanceof FlushBusyError ||
          thrown instanceof ObjectNotFoundError;
        if (!isRace || attempt + 1 >= MAX_ATTEMPTS) {
          this.#metrics.flushFailed(thrown instanceof IndexerError ? thrown.code : 'UNKNOWN');
          throw thrown;
        }
        await this.#common.clock.sleep(backoffMs(CONFLICT_BACKOFF, attempt, this.#common.random));
      }
  }
}
