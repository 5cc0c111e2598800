import { toError } from './errors.js';
import type { Logger } from './logger.js';

/**
 * An ordered shutdown. Components register their closing as they start; `close` aborts `signal` and then runs the
 * callbacks one after the other, last registered first, each awaited. A callback that fails does not keep the others
 * from running; the first failure is thrown at the end.
 */
export interface Shutdown {
  /** Aborts when the shutdown begins. */
  readonly signal: AbortSignal;
  /** Registers `close` under a name for the log. Runs it at once when the shutdown has already begun. */
  add(name: string, close: () => Promise<void> | void): void;
  /** Idempotent: every call awaits the same run. */
  close(): Promise<void>;
}

/** Creates the one shutdown of a process (or of a test). */
export function createShutdown({ log }: { readonly log: Logger }): Shutdown {
  const controller = new AbortController();
  const callbacks: { name: string; close: () => Promise<void> | void }[] = [];
  let closing: Promise<void> | undefined;

  async function run(): Promise<void> {
    controller.abort();
    let failure: Error | undefined;
    for (let next = callbacks.pop(); next; next = callbacks.pop()) {
      try {
        await next.close();
      } catch (thrown) {
        const error = toError(thrown);
        log.error({ err: error, component: next.name }, 'component failed to close');
        failure ??= error;
      }
    }
    if (failure) throw failure;
  }

  return {
    signal: controller.signal,
    add(name, close) {
      callbacks.push({ name, close });
      if (!closing) return;
      // also after a run that failed, whose failure stays the answer
      const before = closing;
      closing = before.then(run, async (failure) => {
        await run().catch(() => 'logged there');
        throw failure;
      });
      // `close` tells of the failure; registering late must not end the process
      closing.catch(() => 'told by close');
    },
    close() {
      closing ??= run();
      return closing;
    },
  };
}
