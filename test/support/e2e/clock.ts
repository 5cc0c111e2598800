/**
 * How the wall clock of a process runs. Checks of the configuration ask for retentions of half a minute and more; a process
 * whose clock runs faster, or was behind when it stored, sees records grow old sooner. Everything else (intervals,
 * deadlines) runs by the monotonic clock, which stays as it is.
 */
export interface WallClock {
  /** Unix ms at which it shows `sinceMs - behindMs`. */
  readonly sinceMs: number;
  readonly behindMs: number;
  /** 1: as fast as the machine's. */
  readonly speed: number;
}

/**
 * The environment of a process with that clock. S3 takes a signature only within a quarter of an hour of its own time: keep
 * the difference below.
 */
export function clockEnvironment({ sinceMs, behindMs, speed }: WallClock): Readonly<Record<string, string>> {
  const program = `const real=Date.now;Date.now=()=>Math.floor(${sinceMs - behindMs}+(real()-${sinceMs})*${speed})`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(program)}` };
}

/** What that clock shows now, unix ms. */
export function nowOn({ sinceMs, behindMs, speed }: WallClock): number {
  return Math.floor(sinceMs - behindMs + (Date.now() - sinceMs) * speed);
}
