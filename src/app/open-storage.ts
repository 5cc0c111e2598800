import type { Config } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import { toError } from '../core/errors.js';
import type { ColdStorage } from '../storage/cold/cold-storage.js';
import type { StorageUse } from './backend-sections.js';
import { openAwaitedSink } from './move/awaited-sink.js';
import { openMovingSink } from './move/moving-sink.js';
import { type OpenedSink, openSink } from './open-sink.js';
import { type ColdBackend, checkPlace, openCold } from './process-cold.js';

/** How long the last flush may take when the process ends. */
const CLOSE_LIMIT_MS = 20_000;

/** The storage of a process: one Sink over every backend that it opens. */
export interface OpenedStorage extends OpenedSink {
  /** The cold backends among them. */
  readonly cold: readonly ColdStorage[];
  /**
   * Closes the Sink, and then the object stores of its backends. A silent object store holds up the end for seconds
   * only: unflushed changes are read again from the system of record. Idempotent.
   */
  close(): Promise<void>;
}

/**
 * Opens the backends of a configuration. Object stores are looked at first, or checked when they are to be written to;
 * one that only follows may be away, and is checked before it is first written to. With `[Migration]` the Sink follows
 * the phases of the move.
 * @throws IndexerError when an object store cannot be used; InvalidArgumentError.
 */
export async function openStorage(
  config: Config,
  common: Common,
  use: StorageUse,
  signal?: AbortSignal,
): Promise<OpenedStorage> {
  const cold = openCold(config, common, use);
  const closeStores = () => closeAll(cold);
  try {
    for (const backend of cold) await checkPlace(backend, common, use);
    const opened = await openFollowing(config, common, use, cold, signal);
    let closing: Promise<void> | undefined;
    const close = () => {
      closing ??= closeInOrder(opened, closeStores, common);
      return closing;
    };
    return { ...opened, cold: cold.map(({ storage }) => storage), close };
  } catch (thrown) {
    await closeStores();
    throw thrown;
  }
}

/** The Sink, which goes by the phases of a move where one is configured. */
async function openFollowing(
  config: Config,
  common: Common,
  use: StorageUse,
  cold: readonly ColdBackend[],
  signal?: AbortSignal,
): Promise<OpenedSink> {
  const { Migration } = config;
  if (!Migration) return openSink(config, common, use, cold);
  const options = { cold, ...(signal ? { signal } : {}) };
  if (Migration.GoIndexer) return await openAwaitedSink(config, common, use, options);
  return await openMovingSink({ config, common, use, ...options });
}

async function closeInOrder(
  opened: OpenedSink,
  closeStores: () => Promise<void>,
  { clock, log }: Common,
): Promise<void> {
  const cancel = clock.after(CLOSE_LIMIT_MS, () => {
    log.warn({ afterMs: CLOSE_LIMIT_MS }, 'the storage is slow to close: ending what its object stores are doing');
    closeStores().catch((thrown: unknown) => log.warn({ err: toError(thrown) }, 'an object store failed to close'));
  });
  try {
    await opened.close();
  } finally {
    cancel();
    await closeStores();
  }
}

/** Every one, also when one fails; the first failure is thrown at the end. */
async function closeAll(opened: readonly ColdBackend[]): Promise<void> {
  const results = await Promise.allSettled(opened.map(({ objects }) => objects.store.close()));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
