import type { Config } from '../config/schema/schema.js';
import type { SinkBackendSection } from '../config/schema/storage-schema.js';

/** Use of the storage by a process: `read` leaves databases that it does not read alone. */
export type StorageUse = 'write' | 'read';

/** A backend's table, with a name of its own. */
export type NamedSection = SinkBackendSection & { readonly Name: string };

/** The backends of a configuration, each with a name of its own. */
export function backendSections({ Storage }: Config): readonly NamedSection[] {
  const sections: readonly (SinkBackendSection | undefined)[] =
    Storage.Strategy === 'single' ? [Storage.Single] : (Storage.Sink?.Storages ?? []);
  return sections.flatMap((section, index) => {
    if (!section) return [];
    const generated = sections.length === 1 ? section.Type : `${section.Type}-${index + 1}`;
    return [{ ...section, Name: section.Name ?? generated }];
  });
}

/** Whether a process that uses the storage so opens the backend. */
export function isOpened(section: NamedSection, use: StorageUse): boolean {
  return use === 'write' || section.ReadCondition?.Type !== 'never';
}

/** The backends that a process opens. */
export function openedSections(config: Config, use: StorageUse): readonly NamedSection[] {
  return backendSections(config).filter((section) => isOpened(section, use));
}

/** The database that is the system of record: see `leaderIndex`. Undefined where there is none. */
export function leadingDatabase(sections: readonly NamedSection[]): NamedSection | undefined {
  const databases = sections.filter(({ Type }) => Type === 'postgres');
  return databases.find(({ Required }) => Required !== false) ?? databases[0];
}
