import type { Config } from '../../config/schema/schema.js';
import type { BackendSection } from '../../config/schema/storage-schema.js';

/**
 * The configuration for a namespace: as it is for its own, else with the same databases and object stores under the
 * name of the other. `Postgres.Schema` and `[Migration]` are of its own namespace alone.
 */
export function configOfNamespace(config: Config, namespace: string): Config {
  if (namespace === config.Namespace) return config;
  const { Single, Sink } = config.Storage;
  return {
    ...config,
    Namespace: namespace,
    Migration: undefined,
    Storage: {
      ...config.Storage,
      ...(Single ? { Single: withoutSchema(Single) } : {}),
      ...(Sink ? { Sink: { ...Sink, Storages: Sink.Storages.map(withoutSchema) } } : {}),
    },
  };
}

/** A backend outside of the schema that the configured namespace has there. */
function withoutSchema<S extends BackendSection>(section: S): S {
  return section.Postgres ? { ...section, Postgres: { ...section.Postgres, Schema: undefined } } : section;
}
