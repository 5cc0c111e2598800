import type { Common } from './common.js';

const PERIOD_MS = 10_000;

/** Logs a warning with its facts, unless one was logged a moment ago. */
export type RareWarning = (facts: object, message: string) => void;

/** Warns at once, then at most every 10 s; `since` counts the warnings that this one stands for. */
export function createRareWarning({ clock, log }: Pick<Common, 'clock' | 'log'>): RareWarning {
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  let since = 0;
  return (facts, message) => {
    since += 1;
    const nowMs = clock.monotonicMs();
    if (nowMs - warnedAtMs < PERIOD_MS) return;
    log.warn({ ...facts, since }, message);
    warnedAtMs = nowMs;
    since = 0;
  };
}
