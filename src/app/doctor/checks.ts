import type { Config } from '../../config/schema/schema.js';
import { backendSections } from '../backend-sections.js';
import type { Check } from './check.js';

/** A check that is loaded where there is something for it to look at: the parts that it asks bring large clients. */
interface LazyCheck {
  readonly name: string;
  readonly isNeeded: (config: Config) => boolean;
  readonly load: () => Promise<Check>;
}

const hasDatabase = (config: Config) => backendSections(config).some(({ Type }) => Type === 'postgres');
const hasCold = (config: Config) => backendSections(config).some(({ Type }) => Type === 's3');
const isKept = (config: Config) => hasDatabase(config) || hasCold(config);
const hasChain = ({ Chain }: Config) => Chain.length > 0;

const ALL: readonly LazyCheck[] = [
  { name: 'config', isNeeded: () => true, load: async () => (await import('./checks/config.js')).configCheck },
  { name: 'postgres', isNeeded: hasDatabase, load: async () => (await import('./checks/postgres.js')).postgresCheck },
  {
    name: 'move',
    isNeeded: ({ Migration }) => Migration !== undefined,
    load: async () => (await import('./checks/move.js')).moveCheck,
  },
  { name: 'schema', isNeeded: hasDatabase, load: async () => (await import('./checks/schema.js')).schemaCheck },
  { name: 'database', isNeeded: hasDatabase, load: async () => (await import('./checks/database.js')).databaseCheck },
  {
    name: 'object-stores',
    isNeeded: hasCold,
    load: async () => (await import('./checks/object-stores.js')).objectStoreCheck,
  },
  { name: 'rpc-nodes', isNeeded: hasChain, load: async () => (await import('./checks/rpc-nodes.js')).rpcNodeCheck },
  {
    name: 'verifiers',
    isNeeded: ({ Verifier }) => Verifier.length > 0,
    load: async () => (await import('./checks/verifiers.js')).verifierCheck,
  },
  {
    name: 'aggregators',
    isNeeded: ({ Discoveries }) => Discoveries.length > 0,
    load: async () => (await import('./checks/aggregators.js')).aggregatorCheck,
  },
  {
    name: 'certificates',
    isNeeded: () => true,
    load: async () => (await import('./checks/certificates.js')).certificateCheck,
  },
  { name: 'clocks', isNeeded: isKept, load: async () => (await import('./checks/clocks.js')).clockCheck },
  { name: 'cursors', isNeeded: hasChain, load: async () => (await import('./checks/cursors.js')).cursorCheck },
  { name: 'workers', isNeeded: hasDatabase, load: async () => (await import('./checks/workers.js')).workerCheck },
  { name: 'tiers', isNeeded: isKept, load: async () => (await import('./checks/tiers.js')).tierCheck },
  { name: 'cold-files', isNeeded: hasCold, load: async () => (await import('./checks/cold-files.js')).coldFileCheck },
  { name: 'lanes', isNeeded: isKept, load: async () => (await import('./checks/lanes.js')).laneCheck },
  { name: 'tasks', isNeeded: isKept, load: async () => (await import('./checks/tasks.js')).taskCheck },
  {
    name: 'quarantine',
    isNeeded: isKept,
    load: async () => (await import('./checks/quarantine.js')).quarantineCheck,
  },
  {
    name: 'traces',
    isNeeded: ({ Tracing }) => Tracing !== undefined,
    load: async () => (await import('./checks/traces.js')).traceCheck,
  },
];

/** The names of all checks, in their order. */
export const CHECK_NAMES: readonly string[] = ALL.map(({ name }) => name);

/** The checks that a configuration has something for; `only`: those of these names. */
export async function checksFor(config: Config, only: readonly string[] = CHECK_NAMES): Promise<readonly Check[]> {
  const wanted = ALL.filter(({ name, isNeeded }) => only.includes(name) && isNeeded(config));
  return await Promise.all(wanted.map(({ load }) => load()));
}

/** All checks, for the page that describes them. */
export async function allChecks(): Promise<readonly Check[]> {
  return await Promise.all(ALL.map(({ load }) => load()));
}
