import { type Clock, systemClock } from './clock.js';
import { type Logger, silentLogger } from './logger.js';
import { Registry } from './metrics.js';
import { type Random, systemRandom } from './random.js';
import type { Tracing } from './tracing.js';

/** The means of every component: time, randomness, a logger, the registry of its metrics, traces. */
export interface Common {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Registry;
  /** Null: nothing is traced. */
  readonly tracing: Tracing | null;
}

/** The machine's clock and randomness, no logging, a registry of its own, no traces; `overrides` replace them. */
export function createCommon(overrides: Partial<Common> = {}): Common {
  return {
    clock: overrides.clock ?? systemClock,
    random: overrides.random ?? systemRandom,
    log: overrides.log ?? silentLogger,
    metrics: overrides.metrics ?? new Registry(),
    tracing: overrides.tracing ?? null,
  };
}
