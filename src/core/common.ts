import { type Clock, systemClock } from './clock.js';
import { type Logger, silentLogger } from './logger.js';
import { Registry } from './metrics.js';
import { type Random, systemRandom } from './random.js';

/** What every component is given: time, randomness, a logger and the registry its metrics go to. */
export interface Common {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Registry;
}

/** The machine's clock and randomness, no logging, a registry of its own; `overrides` replace what they name. */
export function createCommon(overrides: Partial<Common> = {}): Common {
  return {
    clock: overrides.clock ?? systemClock,
    random: overrides.random ?? systemRandom,
    log: overrides.log ?? silentLogger,
    metrics: overrides.metrics ?? new Registry(),
  };
}
