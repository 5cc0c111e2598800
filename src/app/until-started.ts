import type { Common } from '../core/common.js';
import type { Sink } from '../sink/sink.js';

/** How long a start waits for every backend to answer, or fail to. */
const START_LIMIT_MS = 15_000;

/** A backend that says nothing is not asked for anything until it does: the others need not wait for that. */
export async function untilStarted(sink: Sink, { clock, log }: Common): Promise<void> {
  const done = new AbortController();
  const late = clock.sleep(START_LIMIT_MS, done.signal).then(
    () => log.warn({ afterMs: START_LIMIT_MS }, 'a backend has not answered yet: starting without it'),
    () => 'all have answered',
  );
  try {
    await Promise.race([sink.started(), late]);
  } finally {
    done.abort();
  }
}
