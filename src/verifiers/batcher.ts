import type { Clock } from '../core/clock.js';
import { AbortedError, ClosedError, IndexerError, toError } from '../core/errors.js';

/** The outcome of one item of a batch. */
export type Outcome<Result> =
  | { readonly ok: true; readonly value: Result }
  | { readonly ok: false; readonly error: Error };

/** Gathers single requests into batches. */
export interface Batcher<Item, Result> {
  /**
   * Resolves with the result of `run` for `item`.
   * @throws the error of `run` for this item; AbortedError as soon as `signal` aborts; ClosedError after `close`.
   */
  add(item: Item, signal?: AbortSignal): Promise<Result>;
  /** Fails waiting items, aborts running batches and awaits them. Idempotent. */
  close(): Promise<void>;
}

/** Options of a batcher. */
export interface BatcherOptions<Item, Result> {
  /** Names it in errors. */
  readonly name: string;
  /** A batch of this many items leaves at once. */
  readonly maxSize: number;
  /** A smaller one leaves this long after its first item. */
  readonly maxWaitMs: number;
  /**
   * Does the work of one batch of distinct items. A missing entry fails its item; throwing fails the whole batch.
   * `signal` aborts on `close`. A caller that gives up does not abort the batch: others are in it.
   */
  run(items: readonly Item[], signal: AbortSignal): Promise<ReadonlyMap<Item, Outcome<Result>>>;
  readonly clock: Clock;
}

interface Waiter<Result> {
  resolve(result: Result): void;
  reject(error: Error): void;
}

/** Creates a batcher. The same item asked for twice before its batch leaves is in it once. */
export function createBatcher<Item, Result>(options: BatcherOptions<Item, Result>): Batcher<Item, Result> {
  const { name, maxSize, maxWaitMs, clock } = options;
  const closing = new AbortController();
  const running = new Set<Promise<void>>();
  let gathering = new Map<Item, Set<Waiter<Result>>>();
  let cancelTimer: (() => void) | null = null;

  function flush(): void {
    cancelTimer?.();
    cancelTimer = null;
    const batch = gathering;
    if (batch.size === 0) return;
    gathering = new Map();
    const work = runBatch(batch).finally(() => running.delete(work));
    running.add(work);
  }

  async function runBatch(batch: ReadonlyMap<Item, ReadonlySet<Waiter<Result>>>): Promise<void> {
    let outcomes: ReadonlyMap<Item, Outcome<Result>>;
    try {
      outcomes = await options.run([...batch.keys()], closing.signal);
    } catch (thrown) {
      const error = closing.signal.aborted ? new ClosedError(name) : toError(thrown);
      for (const waiters of batch.values()) for (const waiter of waiters) waiter.reject(error);
      return;
    }
    for (const [item, waiters] of batch) {
      const outcome = outcomes.get(item) ?? {
        ok: false,
        error: new IndexerError('BATCH_INCOMPLETE', `${name} left out an item of a batch`, true),
      };
      for (const waiter of waiters) {
        if (outcome.ok) waiter.resolve(outcome.value);
        else waiter.reject(closing.signal.aborted ? new ClosedError(name) : outcome.error);
      }
    }
  }

  /** A waiter that leaves before its batch does takes its item along, unless someone else asked for it too. */
  function leave(batch: Map<Item, Set<Waiter<Result>>>, item: Item, waiter: Waiter<Result>): void {
    const waiters = batch.get(item);
    waiters?.delete(waiter);
    if (batch !== gathering || waiters?.size !== 0) return;
    batch.delete(item);
    if (batch.size > 0) return;
    cancelTimer?.();
    cancelTimer = null;
  }

  function add(item: Item, signal?: AbortSignal): Promise<Result> {
    if (closing.signal.aborted) return Promise.reject(new ClosedError(name));
    if (signal?.aborted) return Promise.reject(new AbortedError(name));
    return new Promise<Result>((resolve, reject) => {
      const batch = gathering;
      const onAbort = () => {
        leave(batch, item, waiter);
        reject(new AbortedError(name));
      };
      const waiter: Waiter<Result> = {
        resolve(result) {
          signal?.removeEventListener('abort', onAbort);
          resolve(result);
        },
        reject(error) {
          signal?.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const waiters = batch.get(item);
      if (waiters) waiters.add(waiter);
      else batch.set(item, new Set([waiter]));
      if (batch.size >= maxSize) flush();
      else cancelTimer ??= clock.after(maxWaitMs, flush);
    });
  }

  return {
    add,
    async close() {
      closing.abort();
      cancelTimer?.();
      cancelTimer = null;
      const waiting = gathering;
      gathering = new Map();
      for (const waiters of waiting.values()) for (const waiter of waiters) waiter.reject(new ClosedError(name));
      await Promise.all(running);
    },
  };
}
