import type { S3Section } from '../config/schema/s3-schema.js';
import type { Config } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import { IndexerError } from '../core/errors.js';
import { type ColdStorage, createColdStorage } from '../storage/cold/cold-storage.js';
import { coldSettings } from './backend-options.js';
import { backendSections, type NamedSection } from './backend-sections.js';
import { openObjectStore } from './open-object-store.js';

/** A cold backend's table. */
export type ColdSection = NamedSection & { readonly S3: S3Section };

/** A cold backend that a command looks after, beside whatever processes work on it. */
export interface OpenedCold {
  readonly name: string;
  readonly section: ColdSection;
  /** For people. */
  readonly place: string;
  readonly storage: ColdStorage;
  /** Refuses a server on which writing could lose something: see `OpenedObjectStore.check`. */
  check(): Promise<void>;
  /** Whether the place holds anything of the namespace. @throws the errors of `OpenedObjectStore.look`. */
  holdsAnything(): Promise<boolean>;
  close(): Promise<void>;
}

/** The cold backends of a configuration. */
export function allColdSections(config: Config): readonly ColdSection[] {
  return backendSections(config).flatMap((section) =>
    section.Type === 's3' && section.S3 ? [{ ...section, S3: section.S3 }] : [],
  );
}

/**
 * The cold backends of a configuration, or the one of that name.
 * @throws IndexerError when there is none.
 */
export function coldSections(config: Config, name?: string): readonly ColdSection[] {
  const all = allColdSections(config);
  const wanted = name === undefined ? all : all.filter(({ Name }) => Name === name);
  if (wanted.length > 0) return wanted;
  throw new IndexerError(
    'NO_COLD_BACKEND',
    all.length === 0
      ? 'no backend of Type = "s3" is configured: there is nothing cold to look after'
      : `no cold backend is called ${name}: write one of ${all.map(({ Name }) => Name).join(', ')}`,
    false,
  );
}

/**
 * Opens a cold backend for a command: it neither follows nor looks after itself, and answers for all there is in its
 * namespace. Nothing is asked of it yet.
 */
export function openCold(config: Config, section: ColdSection, common: Common): OpenedCold {
  const objects = openObjectStore(section.Name, section.S3, common);
  const storage = createColdStorage({
    ...coldSettings({ ...section.S3, CompactInterval: 0, VacuumInterval: 0 }),
    name: section.Name,
    store: objects.store,
    namespace: config.Namespace,
    // it answers by itself: no other tier is asked
    role: 'leader',
    common,
  });
  return {
    name: section.Name,
    section,
    place: objects.place,
    storage,
    check: () => objects.check(),
    async holdsAnything() {
      await objects.look();
      return (await objects.store.list(`${config.Namespace}/`, { limit: 1 })).objects.length > 0;
    },
    async close() {
      try {
        await storage.close();
      } finally {
        await objects.store.close();
      }
    },
  };
}

/** Message for a place without anything of the namespace: a mistyped name looks like a tier without a flush. */
export function nothingThere({ name, place }: OpenedCold, namespace: string): string {
  return (
    `backend ${name} (${place}) holds nothing of namespace ${namespace}: correct Namespace or its S3 table, unless ` +
    'nobody has flushed to it yet'
  );
}
