import type { VerifierDirectory } from '../../api/v2/verifiers.js';
import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import type { Logger } from '../../core/logger.js';
import { Registry } from '../../core/metrics.js';
import type { Shutdown } from '../../core/shutdown.js';
import { createLanes, type Lanes } from '../../lanes/lanes.js';
import type { Sink } from '../../sink/sink.js';
import { ensureMigrated } from '../migrations.js';
import { openStorage } from '../open-storage.js';
import { checkRole } from '../role.js';
import { untilStarted } from '../until-started.js';
import { createVerifierDirectory } from '../verifier-directory.js';
import { configOfNamespace } from './namespace-config.js';

/** A namespace that the process answers for and does not fill. */
export interface ServedNamespace {
  readonly name: string;
  readonly sink: Sink;
  readonly verifiers: VerifierDirectory;
  readonly lanes: Lanes;
  /** Of its storage; each has the label `namespace`. */
  readonly metrics: Registry;
  readonly log: Logger;
}

/** The names of `[API] Namespaces` without the process's own. */
function othersOf({ API, Namespace }: Config): readonly string[] {
  return API.Namespaces.filter((name) => name !== Namespace);
}

/**
 * Makes sure that the other namespaces of `[API]` are there with the schema of this version. They are not migrated:
 * their own workers may be of another version.
 * @throws IndexerError as `ensureMigrated`
 */
export async function ensureServed(config: Config, common: Common): Promise<void> {
  for (const name of othersOf(config))
    await ensureMigrated(configOfNamespace(config, name), common, {
      ...{ apply: false, use: 'read' },
      remedy: `run 'ccv-indexer namespace create ${name}', or take it out of [API] Namespaces`,
    });
}

/**
 * Opens a storage to read for each other namespace of `[API]`: tiers, connections, metrics and lines of the log of its
 * own, so that neither records nor failures cross.
 * @throws the errors of `openStorage`, `checkRole`.
 */
export async function openServed({
  config,
  common,
  shutdown,
}: {
  readonly config: Config;
  readonly common: Common;
  readonly shutdown: Shutdown;
}): Promise<readonly ServedNamespace[]> {
  const served: ServedNamespace[] = [];
  for (const name of othersOf(config)) {
    const own = configOfNamespace(config, name);
    checkRole('api', own);
    const metrics = new Registry();
    metrics.setDefaultLabels({ namespace: name });
    const commonOf = { ...common, metrics, log: common.log.child({ namespace: name }) };
    const storage = await openStorage(own, commonOf, 'read', shutdown.signal);
    shutdown.add(`storage of namespace ${name}`, () => storage.close());
    const leases = storage.leading?.leases ?? null;
    const verifiers = createVerifierDirectory({ clock: common.clock, leases, own: null });
    const records = storage.leading?.laneRecords;
    const lanes = createLanes({ storage: storage.sink, ...(records && { records }), common: commonOf });
    shutdown.add(`lanes of namespace ${name}`, () => lanes.close());
    lanes.start();
    served.push({ name, sink: storage.sink, lanes, metrics, verifiers, log: commonOf.log });
  }
  await Promise.all(served.map(({ sink }) => untilStarted(sink, common)));
  return served;
}
