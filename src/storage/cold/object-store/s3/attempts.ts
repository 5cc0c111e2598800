import { type Backoff, backoffMs } from '../../../../core/backoff.js';
import type { Clock } from '../../../../core/clock.js';
import type { Random } from '../../../../core/random.js';

/** How often a request is sent in all, and how long to wait in between. */
export interface AttemptPolicy {
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  /** Used instead after a refusal for load. */
  readonly throttledBackoff: Backoff;
}

/** The verdict on a failed attempt. */
export type AttemptVerdict = 'give-up' | 'retry' | 'retry-throttled';

/**
 * Runs `attempt` until it succeeds, `judge` gives up, or it has failed `maxAttempts` times; rejects with the last
 * failure.
 * @throws AbortedError when `signal` aborts during a pause.
 */
export async function withAttempts<T>(
  attempt: () => Promise<T>,
  judge: (failure: unknown) => AttemptVerdict,
  policy: AttemptPolicy,
  { clock, random, signal }: { readonly clock: Clock; readonly random: Random; readonly signal: AbortSignal },
): Promise<T> {
  for (let failures = 0; ; failures++) {
    let verdict: AttemptVerdict;
    try {
      return await attempt();
    } catch (failure) {
      verdict = judge(failure);
      if (verdict === 'give-up' || failures + 1 >= policy.maxAttempts) throw failure;
    }
    const backoff = verdict === 'retry-throttled' ? policy.throttledBackoff : policy.backoff;
    await clock.sleep(backoffMs(backoff, failures, random), signal);
  }
}
