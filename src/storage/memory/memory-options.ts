import type { Common } from '../../core/common.js';
import { InvalidArgumentError } from '../../core/errors.js';

const DEFAULT_CLEANUP_INTERVAL_MS = 60_000;
const DEFAULT_MAX_STALENESS_MS = 1000;

/** How a memory storage is set up. Times in milliseconds. */
export interface MemoryStorageOptions {
  /** For logs, metrics and errors. */
  readonly name: string;
  /** Records older than this are evicted. Default 0: never. */
  readonly ttlMs?: number;
  /** Most records of all kinds but cursors; the oldest above it are evicted. Default 0: no limit. */
  readonly maxSize?: number;
  /** Most bytes by `RecordStore.estimatedBytes`; the oldest records above it are evicted. Default 0: no limit. */
  readonly maxBytes?: number;
  /** How often eviction runs. Default one minute. */
  readonly cleanupIntervalMs?: number;
  /** A follower answers for the present while it was confirmed to be current this long ago at most. Default 1 s. */
  readonly maxStalenessMs?: number;
  readonly common?: Partial<Common>;
}

/** The options with every default filled in. */
export type MemorySettings = Readonly<
  Record<'ttlMs' | 'maxSize' | 'maxBytes' | 'cleanupIntervalMs' | 'maxStalenessMs', number>
>;

/** @throws InvalidArgumentError naming the option and the value to pass instead. */
export function resolveMemoryOptions(options: MemoryStorageOptions): MemorySettings {
  const limit = (name: keyof MemorySettings, value: number, least: number) => {
    if (value >= least && (Number.isFinite(value) || name === 'maxStalenessMs')) return value;
    throw new InvalidArgumentError(`${name} of memory storage ${options.name} is ${value}: pass at least ${least}`);
  };
  return {
    ttlMs: limit('ttlMs', options.ttlMs ?? 0, 0),
    maxSize: limit('maxSize', options.maxSize ?? 0, 0),
    maxBytes: limit('maxBytes', options.maxBytes ?? 0, 0),
    cleanupIntervalMs: limit('cleanupIntervalMs', options.cleanupIntervalMs ?? DEFAULT_CLEANUP_INTERVAL_MS, 1),
    maxStalenessMs: limit('maxStalenessMs', options.maxStalenessMs ?? DEFAULT_MAX_STALENESS_MS, 0),
  };
}
