import { type Backoff, backoffMs } from '../core/backoff.js';
import type { Common } from '../core/common.js';
import { IndexerError } from '../core/errors.js';
import type { ChangeSet } from '../model/batch.js';
import { CoverageGapError } from '../model/storage-errors.js';
import type { AdvanceEvent, Storage } from '../storage/storage.js';

/** The news of a follower. */
export interface ChangeFollowerOptions {
  readonly storage: Storage;
  /**
   * Every change after the start, in position order, some of them twice. `live`: the set was told by the storage as it
   * committed it. Must not throw and must not wait.
   */
  onChanges(changes: ChangeSet, live: boolean): void;
  /** Changes were skipped because the storage no longer has them: look at everything anew. */
  onGap(): void;
  readonly common: Common;
}

const RETRY: Backoff = { baseMs: 200, maxMs: 10_000 };

/**
 * Sees every change that anyone commits to a storage: its own commits as they are told, and those of others by
 * reading on from its position. Told sets that do not join its position are not kept but read again, so that it holds
 * no queue however far it is behind.
 */
export class ChangeFollower {
  readonly #options: ChangeFollowerOptions;
  /** Every change up to here has been told; null before the start. */
  #position: bigint | null = null;
  /** The last commit that was told whole; null before one. */
  #head: { readonly position: bigint; readonly ingestionMs: number } | null = null;
  /** The highest position that anyone spoke of. */
  #target = 0n;
  /** The storage stands below the last position that was told. */
  #isSetBack = false;
  #wake: (() => void) | null = null;
  #unsubscribe: (() => void) | null = null;

  constructor(options: ChangeFollowerOptions) {
    this.#options = options;
  }

  get position(): bigint | null {
    return this.#position;
  }

  /**
   * Begins to listen, and takes the position at which the storage's list of unfinished messages stands: the list
   * after this resolves and the changes told from then on leave nothing out between them. Tries until it can, or
   * `signal` aborts.
   */
  async start(signal: AbortSignal): Promise<void> {
    this.#unsubscribe = this.#options.storage.subscribe((event) => this.#onAdvance(event));
    await this.#retrying(signal, () => this.#rebase());
  }

  /** Follows until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#isSetBack) await this.#retrying(signal, () => this.#startAnew());
      else if (this.#position !== null && this.#target > this.#position)
        await this.#retrying(signal, () => this.#catchUp(signal));
      else await this.#sleepUntilWoken(signal);
    }
  }

  /** Listens no more. */
  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
  }

  #onAdvance(event: AdvanceEvent): void {
    if (event.kind === 'set-back') {
      this.#isSetBack = true;
      this.#wake?.();
      return;
    }
    const throughPosition = event.kind === 'committed' ? event.changes.throughPosition : event.throughPosition;
    if (this.#position !== null && throughPosition <= this.#position) return;
    if (
      event.kind === 'committed' &&
      this.#position !== null &&
      this.#position >= this.#target &&
      event.changes.afterPosition <= this.#position
    ) {
      if (!this.#isSameHistory(event.changes)) this.#wake?.();
      else this.#tell(event.changes, true);
      return;
    }
    if (throughPosition > this.#target) this.#target = throughPosition;
    this.#wake?.();
  }

  async #rebase(): Promise<void> {
    const { asOf } = await this.#options.storage.queryUnfinishedMessages({ limit: 1 });
    this.#position = asOf.position;
    this.#head = null;
  }

  #tell(changes: ChangeSet, isOwn: boolean): void {
    const { throughPosition: position, headPosition, headMs: ingestionMs } = changes;
    this.#position = position;
    if (position === headPosition) this.#head = { position, ingestionMs };
    this.#options.onChanges(changes, isOwn);
  }

  /** False when the storage was set back, and has gone on since, to where this stands. */
  #isSameHistory({ follows }: ChangeSet): boolean {
    const head = this.#head;
    if (head === null || follows?.position !== head.position || follows.ingestionMs === head.ingestionMs) return true;
    this.#isSetBack = true;
    return false;
  }

  /** Records that the storage lost are told again when they are found again. */
  async #startAnew(): Promise<void> {
    this.#isSetBack = false;
    this.#target = 0n;
    try {
      await this.#rebase();
    } catch (thrown) {
      this.#isSetBack = true;
      throw thrown;
    }
    this.#options.onGap();
  }

  async #catchUp(signal: AbortSignal): Promise<void> {
    const { storage, common } = this.#options;
    for (let idle = 0; !signal.aborted && this.#position !== null && this.#target > this.#position; ) {
      try {
        const changes = await storage.changesAfter(this.#position);
        if (changes.throughPosition <= this.#position) {
          // spoken of, but not there yet where it is read
          await common.clock.sleep(backoffMs(RETRY, idle++, common.random), signal);
          continue;
        }
        idle = 0;
        if (!this.#isSameHistory(changes)) return;
        this.#tell(changes, false);
      } catch (thrown) {
        if (!(thrown instanceof CoverageGapError)) throw thrown;
        common.log.warn({ err: thrown }, 'changes were missed: looking at all unfinished messages again');
        await this.#rebase();
        this.#options.onGap();
      }
    }
  }

  async #retrying(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const { clock, random, log } = this.#options.common;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await work();
        return;
      } catch (thrown) {
        if (!(thrown instanceof IndexerError)) throw thrown;
        log.warn({ err: thrown, attempt }, 'changes cannot be read: trying again');
        await clock.sleep(backoffMs(RETRY, attempt, random), signal);
      }
    }
  }

  #sleepUntilWoken(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake);
        this.#wake = null;
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}
