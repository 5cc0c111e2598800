import type { Clock } from '../../core/clock.js';
import { isBuffered } from '../../storage/buffered-storage.js';
import type { Backend } from '../backend.js';
import { succeedsWithin } from '../within.js';

/**
 * Lets the tiers that are fed by other processes look where they stand now: what this one knows of them may be older than
 * what was pruned elsewhere because of them. Takes `waitMs` at most; what fails is left as it was known.
 */
export async function lookAgain(backends: readonly Backend[], clock: Clock, waitMs: number): Promise<void> {
  const tiers = backends.flatMap(({ storage }) => (isBuffered(storage) ? [storage] : []));
  if (tiers.length === 0) return;
  await succeedsWithin(clock, waitMs, Promise.all(tiers.map((tier) => tier.refresh())));
}
