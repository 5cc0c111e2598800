import { type Clock, systemClock } from '../../../src/core/clock.js';

/**
 * Runs `task` with a signal that aborts after `timeoutMs`, or when `outer` does. Leaves nothing behind on `outer`,
 * which `AbortSignal.any` does: about a hundred bytes a call for as long as `outer` lives. An abort ends it even where
 * the task does not heed its signal.
 */
export async function withDeadline<T>(
  timeoutMs: number,
  outer: AbortSignal | undefined,
  task: (signal: AbortSignal) => Promise<T>,
  clock: Clock = systemClock,
): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort(outer?.reason);
  if (outer?.aborted) abort();
  outer?.addEventListener('abort', abort, { once: true });
  const cancel = clock.after(timeoutMs, () => controller.abort(new DOMException('timed out', 'TimeoutError')));
  const { signal } = controller;
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    return await Promise.race([task(signal), aborted]);
  } finally {
    cancel();
    outer?.removeEventListener('abort', abort);
  }
}
