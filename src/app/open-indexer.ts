import type { BatchWriter } from '../chains/chain-port.js';
import { type ChainSource, createChainSource } from '../chains/chain-source.js';
import type { RpcPool } from '../chains/rpc/rpc-pool.js';
import { sharedChainId } from '../chains/source-ids.js';
import type { BackfillProgress, ChainSourceStatus } from '../chains/watch/chain-status.js';
import { onRampsOf } from '../config/checks/chain-identity.js';
import type { ChainSection, Config } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import type { Shutdown } from '../core/shutdown.js';
import { createChainStore } from '../indexer/chain-store.js';
import { createGapAsker } from '../indexer/gaps/gap-asker.js';
import { type ChainRunner, createIndexer, type Indexer } from '../indexer/indexer.js';
import { createScheduler } from '../indexer/scheduler.js';
import { createMembership } from '../indexer/workers/membership.js';
import { nameProcess } from '../indexer/workers/process-name.js';
import { createSoleMember } from '../indexer/workers/sole-member.js';
import type { Lanes } from '../lanes/lanes.js';
import type { LaneRecords } from '../storage/lane-records.js';
import type { LeaseStore } from '../storage/lease-store.js';
import type { Storage } from '../storage/storage.js';
import { createVerifierRegistry } from '../verifiers/registry.js';
import { openRecovery } from './open-recovery.js';
import { openRpcPools, watchedChain } from './open-rpc.js';
import { openSignatures } from './open-signatures.js';
import { openVerifier } from './open-verifier.js';
import { runBeside } from './run-beside.js';

/** Dependencies of the indexer of a process. */
export interface OpenIndexerOptions {
  readonly config: Config;
  readonly common: Common;
  readonly storage: Storage;
  /** Where workers share the sources; null: this process alone fills the storage. */
  readonly leases: LeaseStore | null;
  /** The lanes of the storage, and where the gaps that were asked for are noted; null: gaps are not asked for. */
  readonly gaps: { readonly lanes: Lanes; readonly records: LaneRecords } | null;
  readonly shutdown: Shutdown;
  readonly onBackfill?: (chain: string, progress: BackfillProgress) => void;
}

/** Creates the watchers, discovery, the verifier readers and the scheduler of a configuration; nothing runs yet. */
export async function openIndexer(options: OpenIndexerOptions): Promise<Indexer<ChainSourceStatus>> {
  const { config, common, storage, leases, gaps, shutdown } = options;
  const rpcOf = openRpcPools(common, shutdown);
  const signatures = openSignatures(config, rpcOf, common, shutdown);
  const readers = config.Verifier.map(async (section) =>
    signatures.reader(section, await openVerifier(section, common)),
  );
  const registry = createVerifierRegistry(await Promise.all(readers));
  const membership = leases
    ? createMembership({ ...nameProcess(common.random), store: leases, common, verifiers: () => registry.reports() })
    : createSoleMember();
  const pools = new Map(config.Chain.map((section) => [section.Selector, rpcOf(section)]));
  const chains = config.Chain.map((section): ChainRunner<ChainSourceStatus> => {
    const name = sharedChainId(section.Selector);
    const writer = membership.fence(name, storage);
    const source = openSource(section, rpcOf(section), writer, options);
    const recovery = openRecovery(section, { config, pools, storage, writer, common });
    const asker =
      gaps === null || config.Lanes.AskAgainAfter === 0 || onRampsOf(section).length === 0
        ? null
        : createGapAsker({
            ...{ chain: watchedChain(section), rpc: rpcOf(section), storage, writer, ...gaps },
            ...{ askAgainAfterMs: config.Lanes.AskAgainAfter, common },
          });
    return {
      ...{ name: section.Name, source: name, status: () => source.status() },
      run: (signal) => runBeside(source, [recovery, asker], signal),
    };
  });
  const discovery = { config, common, storage, registry, signatures, membership, gaps, shutdown };
  // gRPC is dozens of files, for aggregators alone
  const discoveries =
    config.Discoveries.length === 0 ? [] : (await import('./open-discoveries.js')).openDiscoveries(discovery);
  const { Scheduler, Pool } = config;
  const scheduler = createScheduler({
    storage,
    registry,
    share: membership,
    common,
    tickerIntervalMs: Scheduler.TickerInterval,
    baseDelayMs: Scheduler.BaseDelay,
    maxDelayMs: Scheduler.MaxDelay,
    visibilityWindowMs: Scheduler.VerificationVisibilityWindow,
    maxHeapSize: Scheduler.MaxHeapSize,
    concurrentWorkers: Pool.ConcurrentWorkers,
    workerTimeoutMs: Pool.WorkerTimeout,
    hydrationBatchSize: Pool.HydrationBatchSize,
  });
  const indexer = createIndexer({ chains, discoveries, scheduler, registry, membership, common });
  shutdown.add('indexer', () => indexer.close());
  return indexer;
}

function openSource(
  section: ChainSection,
  rpc: RpcPool,
  writer: BatchWriter,
  { common, storage, onBackfill }: OpenIndexerOptions,
): ChainSource {
  return createChainSource({
    chain: watchedChain(section),
    rpc,
    openStore: (rampAddresses) => createChainStore({ storage, writer, selector: section.Selector, rampAddresses }),
    writer,
    common,
    ...(onBackfill ? { onProgress: (progress: BackfillProgress) => onBackfill(section.Name, progress) } : {}),
  });
}
