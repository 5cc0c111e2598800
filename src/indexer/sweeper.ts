import { type Backoff, backoffMs } from '../core/backoff.js';
import type { Common } from '../core/common.js';
import { IndexerError } from '../core/errors.js';
import type { OrderKey } from '../model/order.js';
import type { Storage } from '../storage/storage.js';
import { type PendingMessage, pendingMessage } from './verification-task.js';

/** The outcome of offering a message to the board. */
export type Offer =
  /** Taken, or held already, or nothing to do for it. */
  | 'taken'
  /** No place now, but one may become free by itself. */
  | 'full'
  /** No place, and none to be expected. */
  | 'refused';

/** The findings of a look at all unfinished messages. */
export interface FullPass {
  /** When it began, unix ms. */
  readonly atMs: number;
  readonly inTime: number;
  readonly timedOut: number;
}

/** The parts of a sweeper. */
export interface SweeperOptions {
  readonly storage: Storage;
  /** Messages read at a time. */
  readonly pageSize: number;
  /** Between two passes over all messages that have not timed out, while the board cannot hold them all. */
  readonly overflowPeriodMs: number;
  /** Between two passes over all unfinished messages, timed-out ones included. */
  readonly fullPeriodMs: number;
  /** How long to wait for a place on a full board. */
  readonly fullBoardWaitMs: number;
  offer(message: PendingMessage): Offer;
  overflowed(): boolean;
  /** A pass begins that will meet everything that overflowed before it. */
  passBegins(): void;
  fullPassEnded(found: FullPass): void;
  readonly common: Common;
}

const RETRY: Backoff = { baseMs: 500, maxMs: 10_000 };

/**
 * Brings unfinished messages from storage to the board: all of them at the start (that is how pending tasks survive a
 * restart), those that found no place again and again until they do, and timed-out ones with every full pass, which is
 * their slow rate. A full pass also finds whatever else might have been missed.
 */
export class Sweeper {
  readonly #options: SweeperOptions;
  #fullPassWanted = true;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  /** The next pass is a full one, and soon. */
  requestFullPass(): void {
    this.#fullPassWanted = true;
  }

  /** Sweeps until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.common;
    let lastPassMs = Number.NEGATIVE_INFINITY;
    let lastFullPassMs = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const nowMs = clock.monotonicMs();
      const full = this.#fullPassWanted || nowMs - lastFullPassMs >= this.#options.fullPeriodMs;
      if (full || (this.#options.overflowed() && nowMs - lastPassMs >= this.#options.overflowPeriodMs)) {
        lastPassMs = nowMs;
        if (full) lastFullPassMs = nowMs;
        this.#fullPassWanted = false;
        await this.#pass(full, signal);
      } else await clock.sleep(this.#options.fullBoardWaitMs, signal);
    }
  }

  async #pass(full: boolean, signal: AbortSignal): Promise<void> {
    this.#options.passBegins();
    const atMs = this.#options.common.clock.nowMs();
    let inTime = 0;
    let timedOut = 0;
    let after: OrderKey | null = null;
    do {
      const page = await this.#readPage(after, signal);
      if (page === null) return;
      for (const message of page.messages) {
        if (message.timedOut) timedOut++;
        else inTime++;
        if (full || !message.timedOut) await this.#place(message, signal);
      }
      after = page.next;
    } while (after !== null && !signal.aborted);
    if (full && !signal.aborted) this.#options.fullPassEnded({ atMs, inTime, timedOut });
  }

  async #place(message: PendingMessage, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#options.offer(message) === 'full')
      await this.#options.common.clock.sleep(this.#options.fullBoardWaitMs, signal);
  }

  /** One page without the messages' bytes; null when aborted. */
  async #readPage(
    after: OrderKey | null,
    signal: AbortSignal,
  ): Promise<{ readonly messages: readonly PendingMessage[]; readonly next: OrderKey | null } | null> {
    const { storage, pageSize, common } = this.#options;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const page = await storage.queryUnfinishedMessages({ limit: pageSize, after });
        return { messages: page.items.map(pendingMessage), next: page.next };
      } catch (thrown) {
        if (!(thrown instanceof IndexerError)) throw thrown;
        common.log.warn({ err: thrown, attempt }, 'unfinished messages cannot be read: trying again');
        await common.clock.sleep(backoffMs(RETRY, attempt, common.random), signal);
      }
    }
    return null;
  }
}
