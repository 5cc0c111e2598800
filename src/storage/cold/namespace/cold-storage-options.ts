import type { Common } from '../../../core/common.js';
import { InvalidArgumentError } from '../../../core/errors.js';
import type { ObjectStore } from '../object-store/object-store.js';

/**
 * - `follower`: follows another storage. Applied changes are buffered and flushed in large files; the coverage ends
 *   with the last flush. Any number of followers may write one namespace.
 * - `reader`: follows without writing. It keeps no applied changes, and moves on with the commits of the followers.
 * - `leader`: is the system of record. Every write is committed before it is acknowledged; the coverage is
 *   open-ended. One process writes; others in this role see its commits after `refreshIntervalMs` at the latest.
 */
export type ColdStorageRole = 'follower' | 'reader' | 'leader';

/** Options of a cold storage. Times in milliseconds. */
export interface ColdStorageOptions {
  /** The name in logs, metrics and errors. */
  readonly name: string;
  /** The bucket or directory. Its opener closes it, not the storage. */
  readonly store: ObjectStore;
  /** The folder of the tables in the store. */
  readonly namespace: string;
  readonly role: ColdStorageRole;
  /** A flush begins when the buffered records have so many bytes before compression. Default 16 MiB. */
  readonly flushBytes?: number;
  /** Time since the last flush after which one begins. Default 5 minutes. */
  readonly flushIntervalMs?: number;
  /** Most memory for footers, indexes and decoded row groups. Default 64 MiB. */
  readonly cacheBytes?: number;
  /** Time for which the logs are taken to be unchanged by others. Default 1 s. */
  readonly refreshIntervalMs?: number;
  /**
   * A flush of another writer that is older than this and not committed is taken for dead. Default 30 s; `leader`: 0.
   */
  readonly takeoverMs?: number;
  /** Pause between compactions, in a process that writes. 0 = never. Default 10 minutes. */
  readonly compactIntervalMs?: number;
  /** Compaction makes files up to about this size, and takes twice that of memory. Default 128 MiB. */
  readonly compactBytes?: number;
  /**
   * Files that were removed, or belong to nothing, are kept for so long: no reader or writer may take longer, and other
   * engines' time travel reaches so far. Default 7 days.
   */
  readonly graceMs?: number;
  /** Pause between vacuums, which delete those files, in a process that writes. 0 = never. Default 1 h. */
  readonly vacuumIntervalMs?: number;
  readonly common?: Partial<Common>;
}

/** The options with every default filled in. */
export type ColdStorageSettings = Readonly<
  Record<
    | 'flushBytes'
    | 'flushIntervalMs'
    | 'cacheBytes'
    | 'refreshIntervalMs'
    | 'takeoverMs'
    | 'compactIntervalMs'
    | 'compactBytes'
    | 'graceMs'
    | 'vacuumIntervalMs',
    number
  >
> & { readonly namespace: string; readonly role: ColdStorageRole };

const MIB = 1024 * 1024;
const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 24 * 60 * MINUTE_MS;
const NAMESPACE = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** @throws InvalidArgumentError naming the option and the values to pass instead. */
export function resolveColdStorageOptions(options: ColdStorageOptions): ColdStorageSettings {
  const atLeast = (name: string, value: number, least: number) => {
    if (Number.isFinite(value) && value >= least) return value;
    throw new InvalidArgumentError(`${name} of storage ${options.name} is ${value}: pass at least ${least}`);
  };
  if (!NAMESPACE.test(options.namespace))
    throw new InvalidArgumentError(
      `namespace of storage ${options.name} is "${options.namespace}": use a-z, 0-9, _ and -, at most 63`,
    );
  return {
    namespace: options.namespace,
    role: options.role,
    flushBytes: atLeast('flushBytes', options.flushBytes ?? 16 * MIB, 1),
    flushIntervalMs: atLeast('flushIntervalMs', options.flushIntervalMs ?? 300_000, 1),
    cacheBytes: atLeast('cacheBytes', options.cacheBytes ?? 64 * MIB, MIB),
    refreshIntervalMs: atLeast('refreshIntervalMs', options.refreshIntervalMs ?? 1000, 0),
    takeoverMs: atLeast('takeoverMs', options.takeoverMs ?? (options.role === 'leader' ? 0 : 30_000), 0),
    compactIntervalMs: atLeast('compactIntervalMs', options.compactIntervalMs ?? 10 * MINUTE_MS, 0),
    compactBytes: atLeast('compactBytes', options.compactBytes ?? 128 * MIB, 1),
    graceMs: atLeast('graceMs', options.graceMs ?? WEEK_MS, 0),
    vacuumIntervalMs: atLeast('vacuumIntervalMs', options.vacuumIntervalMs ?? 60 * MINUTE_MS, 0),
  };
}
