import type { BackfillProgress } from '../chains/watch/chain-status.js';
import type { Config } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import type { Shutdown } from '../core/shutdown.js';
import { createTurns } from '../core/turns.js';
import { createLanes } from '../lanes/lanes.js';
import type { Sink } from '../sink/sink.js';
import { createLaneRecords } from '../storage/lane-records.js';
import { watchCertificates } from './doctor/certificate-watch.js';
import { openServed } from './namespaces/serve.js';
import { type OpenedStorage, openStorage } from './open-storage.js';
import { addProcessMetrics } from './process-metrics.js';
import { compareConfigs, configInUse } from './reload/compare-configs.js';
import { RunningIndexer } from './reload/running-indexer.js';
import { checkRole, type Role, storageUse } from './role.js';
import { openAdmin, openApi, rateLimitOf } from './servers/open-servers.js';
import { createStatusReport } from './status-report.js';
import { untilStarted } from './until-started.js';
import { createVerifierDirectory } from './verifier-directory.js';

/** Dependencies and settings of a service. */
export interface ServiceOptions {
  readonly config: Config;
  readonly role: Role;
  readonly common: Common;
  /** Everything started is registered here, in the order in which it must end. */
  readonly shutdown: Shutdown;
  readonly onBackfill?: (chain: string, progress: BackfillProgress) => void;
}

/** A running service. */
export interface Service {
  readonly sink: Sink;
  /** The cold backends behind the Sink. */
  readonly cold: OpenedStorage['cold'];
  /** Null in the role `api`. */
  readonly indexer: RunningIndexer | null;
  /** Null in the role `worker`. */
  readonly apiUrl: string | null;
  readonly adminUrl: string;
  /**
   * Resolves when the indexer has ended (at shutdown); rejects when it broke. Never resolves before in the role `api`.
   */
  readonly finished: Promise<void>;
  /**
   * Takes over what can be taken over of another configuration while storage and servers go on, and logs what cannot.
   * @throws IndexerError when the configuration is none for this process, which goes on as it was.
   */
  reload(config: Config): Promise<void>;
}

/**
 * Starts storage, servers and indexer of one process, in that order, so that nothing is answered before it can be
 * answered truly. Ends with `shutdown`, in the opposite order.
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, role, common, shutdown } = options;
  addProcessMetrics(common);
  const storage = await openStorage(config, common, storageUse(role), shutdown.signal);
  shutdown.add('storage', () => storage.close());
  const { sink, cold, leading, move } = storage;
  const leases = leading?.leases ?? null;
  await untilStarted(sink, common);
  const records = leading?.laneRecords ?? createLaneRecords();
  const lanes = createLanes({ storage: sink, records, keeps: role !== 'api', common });
  shutdown.add('lanes', () => lanes.close());
  lanes.start();
  const served = role === 'worker' ? [] : await openServed({ config, common, shutdown });
  // an API replica loads no chain client: viem alone is hundreds of files, all open at once while they load
  const indexer =
    role === 'api'
      ? null
      : await RunningIndexer.open(
          { ...options, storage: sink, leases, gaps: { lanes, records } },
          (await import('./open-indexer.js')).openIndexer,
        );
  const status = createStatusReport({ common, sink, leases, move, indexer, role, served });
  const servers = {
    config,
    common,
    sink,
    lanes,
    served,
    shutdown,
    verifiers: createVerifierDirectory({
      clock: common.clock,
      leases,
      own: indexer && (() => indexer.status().verifiers),
    }),
    status,
    problem: () => (indexer ? problemOf(indexer) : null),
  };
  const adminUrl = await openAdmin(servers);
  const api = role === 'worker' ? null : await openApi(servers);
  const certificates = watchCertificates(common, shutdown);
  certificates.use(config);
  let used = config;
  const turns = createTurns(1);
  const reload = async (next: Config) => {
    checkRole(role, next);
    const change = compareConfigs(used, next);
    // first: it alone can fail, and then nothing is taken over
    if (change.indexer.length > 0) await indexer?.replace(next);
    if (change.logLevel) for (const log of [common.log, ...served.map((each) => each.log)]) log.level = next.Log.Level;
    if (change.rateLimit) api?.limitRate(rateLimitOf(next));
    used = configInUse(used, next, change);
    certificates.use(used);
    common.log.info({ ...change, isIndexing: indexer !== null }, 'configuration taken over');
    if (change.restart.length > 0)
      common.log.warn({ keys: change.restart }, 'keys of the configuration that only a restart takes over');
  };
  return {
    sink,
    cold,
    indexer,
    apiUrl: api?.url ?? null,
    adminUrl,
    reload: (next) => turns.run(() => reload(next)),
    finished: indexer ? indexer.run() : untilShutdown(shutdown),
  };
}

/** A chain of which nothing is ever read as configured. */
function problemOf(indexer: RunningIndexer): string | null {
  const chain = indexer.status().chains.find(({ watcher }) => !watcher.isReadable);
  return chain ? `chain ${chain.name}: ${chain.watcher.problem}` : null;
}

function untilShutdown({ signal }: Shutdown): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
