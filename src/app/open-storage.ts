import { coldRole } from '../config/checks/cold-role.js';
import type { Config } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import { assertNever, IndexerError, InvalidArgumentError, toError } from '../core/errors.js';
import { createSink, type Sink } from '../sink/sink.js';
import type { SinkBackend } from '../sink/sink-options.js';
import type { BackendStorage } from '../storage/backend-storage.js';
import { type ColdStorage, createColdStorage } from '../storage/cold/cold-storage.js';
import { createMemoryStorage } from '../storage/memory/memory-storage.js';
import { createPostgresStorage, type PostgresStorage } from '../storage/postgres/postgres-storage.js';
import { recallFrom } from '../storage/recall-from.js';
import { coldSettings, memoryOptions, postgresOptions, toCondition } from './backend-options.js';
import { backendSections, isOpened, leadingDatabase, type NamedSection, type StorageUse } from './backend-sections.js';
import { type OpenedObjectStore, openObjectStore } from './open-object-store.js';

/** How long a start waits for an object store that it can do without. */
const CHECK_LIMIT_MS = 10_000;
/** How long the last flush may take when the process ends. */
const CLOSE_LIMIT_MS = 20_000;

/** The storage of a process: one Sink over every backend that it opens. */
export interface OpenedStorage {
  readonly sink: Sink;
  /** The cold backends among them. */
  readonly cold: readonly ColdStorage[];
  /** The leading database; null without one: one process alone fills the storage. */
  readonly leading: Pick<PostgresStorage, 'leases' | 'replays'> | null;
  /**
   * Closes the Sink, and then the object stores of its backends. A silent object store holds up the end for seconds
   * only: unflushed changes are read again from the system of record. Idempotent.
   */
  close(): Promise<void>;
}

/** A cold backend with its section, role and object store. */
interface ColdBackend {
  readonly section: NamedSection;
  readonly role: 'follower' | 'leader';
  readonly objects: OpenedObjectStore;
  readonly storage: ColdStorage;
}

/**
 * Opens the backends of a configuration. Object stores are looked at first, or checked when they are to be written to;
 * one that only follows may be away, and is checked before it is first written to.
 * @throws IndexerError when an object store cannot be used; InvalidArgumentError.
 */
export async function openStorage(config: Config, common: Common, use: StorageUse): Promise<OpenedStorage> {
  const cold = openCold(config, common, use);
  const closeStores = () => closeAll(cold.map(({ objects }) => objects));
  try {
    for (const backend of cold) await checkPlace(backend, common, use);
    const { sink, leading } = openSink(config, common, use, cold);
    let closing: Promise<void> | undefined;
    const close = () => {
      closing ??= closeInOrder(sink, closeStores, common);
      return closing;
    };
    return { sink, cold: cold.map(({ storage }) => storage), leading, close };
  } catch (thrown) {
    await closeStores();
    throw thrown;
  }
}

function openSink(
  config: Config,
  common: Common,
  use: StorageUse,
  cold: readonly ColdBackend[],
): Pick<OpenedStorage, 'sink' | 'leading'> {
  // pruned records are read back from the cold tier
  const archive = cold.find(({ role }) => role === 'follower');
  const recall = archive ? recallFrom(archive.storage) : null;
  const sections = backendSections(config).filter((section) => isOpened(section, use));
  const leader = leadingDatabase(sections);
  let leading: OpenedStorage['leading'] = null;
  const isKeptElsewhere = sections.some(({ Type }) => Type !== 'memory');
  const open = (section: NamedSection): BackendStorage => {
    switch (section.Type) {
      case 'memory':
        return createMemoryStorage({
          ...memoryOptions(section.Name, section.Memory, common),
          // a memory that alone holds its records forgets none
          ...(isKeptElsewhere ? {} : { maxBytes: 0 }),
        });
      case 'postgres': {
        const options = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
        const storage = createPostgresStorage({ ...options, recall, use });
        if (section === leader) leading = storage;
        return storage;
      }
      case 's3':
        return coldOf(section, cold);
      default:
        return assertNever(section.Type, 'storage type');
    }
  };
  const pruneIntervalMs = config.Storage.Sink?.PruneInterval;
  const sink = createSink({
    common,
    ...(pruneIntervalMs === undefined ? {} : { pruneIntervalMs }),
    backends: sections.map(
      (section): SinkBackend => ({
        storage: open(section),
        condition: toCondition(section.ReadCondition),
        // a process that only reads does not prune
        retentionMs: use === 'write' ? (section.Postgres?.Retention ?? 0) : 0,
        ...(section.Type === 's3' ? { tier: 'cold' as const } : {}),
        ...(section.Required === undefined ? {} : { required: section.Required }),
      }),
    ),
  });
  return { sink, leading };
}

function openCold(config: Config, common: Common, use: StorageUse): readonly ColdBackend[] {
  const all = backendSections(config);
  return all.flatMap((section): ColdBackend[] => {
    const role = coldRole(section, all);
    if (role === null || !section.S3 || !isOpened(section, use)) return [];
    const objects = openObjectStore(section.Name, section.S3, common);
    const { takeoverMs, ...settings } = coldSettings(section.S3);
    const storage = createColdStorage({
      ...settings,
      name: section.Name,
      store: objects.store,
      namespace: config.Namespace,
      role: role === 'follower' && use === 'read' ? 'reader' : role,
      // a follower alone waits for no flush of another
      ...(role === 'follower' && takeoverMs !== undefined ? { takeoverMs } : {}),
      common,
    });
    return [{ section, role, objects, storage }];
  });
}

function coldOf(section: NamedSection, cold: readonly ColdBackend[]): ColdStorage {
  const found = cold.find((each) => each.section.Name === section.Name);
  if (!found) throw new InvalidArgumentError(`backend ${section.Name} has no S3 table`);
  return found.storage;
}

async function checkPlace(backend: ColdBackend, common: Common, use: StorageUse): Promise<void> {
  const { section, role, objects } = backend;
  const check = () => (use === 'write' ? objects.check() : objects.look());
  if (role === 'leader') {
    await check();
    // without a write, nothing else opens it: questions are planned by its coverage
    return await backend.storage.ready();
  }
  try {
    await withinLimit(check, objects.place, common);
  } catch (thrown) {
    if (!(thrown instanceof IndexerError) || !thrown.retryable) throw thrown;
    common.log.warn(
      { backend: section.Name, place: objects.place, err: thrown },
      'the object store is away: starting without it',
    );
  }
}

/** A check that takes longer goes on, and the first write waits for it. */
async function withinLimit(check: () => Promise<void>, place: string, { clock }: Common): Promise<void> {
  const answered = new AbortController();
  const silence = clock.sleep(CHECK_LIMIT_MS, answered.signal).then(() => {
    throw new IndexerError('COLD_STORE_SILENT', `${place} gave no answer in ${CHECK_LIMIT_MS} ms`, true);
  });
  try {
    await Promise.race([check(), silence]);
  } finally {
    answered.abort();
  }
}

async function closeInOrder(sink: Sink, closeStores: () => Promise<void>, { clock, log }: Common): Promise<void> {
  const cancel = clock.after(CLOSE_LIMIT_MS, () => {
    log.warn({ afterMs: CLOSE_LIMIT_MS }, 'the storage is slow to close: ending what its object stores are doing');
    closeStores().catch((thrown: unknown) => log.warn({ err: toError(thrown) }, 'an object store failed to close'));
  });
  try {
    await sink.close();
  } finally {
    cancel();
    await closeStores();
  }
}

/** Every one, also when one fails; the first failure is thrown at the end. */
async function closeAll(opened: readonly OpenedObjectStore[]): Promise<void> {
  const results = await Promise.allSettled(opened.map(({ store }) => store.close()));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
