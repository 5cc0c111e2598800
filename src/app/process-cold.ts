import { coldRole } from '../config/checks/cold-role.js';
import type { Config } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import { IndexerError, InvalidArgumentError } from '../core/errors.js';
import { type ColdStorage, createColdStorage } from '../storage/cold/cold-storage.js';
import { showDisk } from '../storage/cold/object-store/directory/disk-metrics.js';
import { coldSettings } from './backend-options.js';
import { backendSections, isOpened, type NamedSection, type StorageUse } from './backend-sections.js';
import { type OpenedObjectStore, openObjectStore } from './open-object-store.js';

/** How long a start waits for an object store that it can do without. */
const CHECK_LIMIT_MS = 10_000;

/** A cold backend with its section, role and object store. */
export interface ColdBackend {
  readonly section: NamedSection;
  readonly role: 'follower' | 'leader';
  readonly objects: OpenedObjectStore;
  readonly storage: ColdStorage;
}

/** The cold backends that a process opens. */
export function openCold(config: Config, common: Common, use: StorageUse): readonly ColdBackend[] {
  const all = backendSections(config);
  return all.flatMap((section): ColdBackend[] => {
    const role = coldRole(section, all);
    if (role === null || !section.S3 || !isOpened(section, use)) return [];
    const objects = openObjectStore(section.Name, section.S3, common);
    if (section.S3.Directory !== undefined) showDisk(common.metrics, section.Name, objects.place);
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

/** The cold storage of a section. */
export function coldOf(section: NamedSection, cold: readonly ColdBackend[]): ColdStorage {
  const found = cold.find((each) => each.section.Name === section.Name);
  if (!found) throw new InvalidArgumentError(`backend ${section.Name} has no S3 table`);
  return found.storage;
}

/** Looks at the object store, or checks that it can be written to. @throws IndexerError when it cannot be used. */
export async function checkPlace(backend: ColdBackend, common: Common, use: StorageUse): Promise<void> {
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
