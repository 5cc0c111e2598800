import { backoffMs } from '../../core/backoff.js';
import type { Common } from '../../core/common.js';
import { AbortedError, IndexerError } from '../../core/errors.js';

const BACKOFF = { baseMs: 500, maxMs: 15_000 };
/** About a minute and a half in all. */
const ATTEMPTS = 9;

/**
 * Repeats work whose failure may pass, with growing pauses.
 * @throws AbortedError, and the last error of `work`.
 */
export async function patiently<T>(
  { clock, random, log }: Pick<Common, 'clock' | 'random' | 'log'>,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    if (signal.aborted) throw new AbortedError('replay');
    try {
      return await work();
    } catch (thrown) {
      if (signal.aborted) throw new AbortedError('replay');
      if (!(thrown instanceof IndexerError) || !thrown.retryable || failures + 1 >= ATTEMPTS) throw thrown;
      log.warn({ err: thrown, failuresInARow: failures + 1 }, 'a replay is trying again');
      await clock.sleep(backoffMs(BACKOFF, failures, random), signal);
    }
  }
}
