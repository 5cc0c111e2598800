import type { BatchWriter } from '../chains/chain-port.js';
import { type ChainSource, createChainSource } from '../chains/chain-source.js';
import { sharedChainId } from '../chains/source-ids.js';
import type { BackfillProgress, ChainSourceStatus } from '../chains/watch/chain-status.js';
import { onRampsOf } from '../config/checks/chain-identity.js';
import type { ChainSection, Config, VerifierSection } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import type { Shutdown } from '../core/shutdown.js';
import { createChainStore } from '../indexer/chain-store.js';
import { type ChainRunner, createIndexer, type Indexer } from '../indexer/indexer.js';
import { createScheduler } from '../indexer/scheduler.js';
import { createMembership } from '../indexer/workers/membership.js';
import { nameProcess } from '../indexer/workers/process-name.js';
import { createSoleMember } from '../indexer/workers/sole-member.js';
import type { LeaseStore } from '../storage/lease-store.js';
import type { Storage } from '../storage/storage.js';
import { createVerifierReader } from '../verifiers/create-verifier-reader.js';
import { createVerifierRegistry } from '../verifiers/registry.js';
import type { VerifierReader } from '../verifiers/verifier-reader.js';
import { openDiscoveries } from './open-discoveries.js';
import { openRpc } from './open-rpc.js';

/** Dependencies of the indexer of a process. */
export interface OpenIndexerOptions {
  readonly config: Config;
  readonly common: Common;
  readonly storage: Storage;
  /** Where workers share the sources; null: this process alone fills the storage. */
  readonly leases: LeaseStore | null;
  readonly shutdown: Shutdown;
  readonly onBackfill?: (chain: string, progress: BackfillProgress) => void;
}

/** Creates the watchers, discovery, the verifier readers and the scheduler of a configuration; nothing runs yet. */
export function openIndexer(options: OpenIndexerOptions): Indexer<ChainSourceStatus> {
  const { config, common, storage, leases, shutdown } = options;
  const registry = createVerifierRegistry(config.Verifier.map((section) => openReader(section, common)));
  const membership = leases
    ? createMembership({ ...nameProcess(common.random), store: leases, common })
    : createSoleMember();
  const chains = config.Chain.map((section): ChainRunner<ChainSourceStatus> => {
    const name = sharedChainId(section.Selector);
    const source = openSource(section, membership.fence(name, storage), options);
    return { name: section.Name, source: name, run: (signal) => source.run(signal), status: () => source.status() };
  });
  const discoveries = openDiscoveries({ config, common, storage, registry, membership, shutdown });
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

function openReader(section: VerifierSection, common: Common): VerifierReader {
  const shared = {
    name: section.Name,
    issuerAddresses: section.IssuerAddresses,
    requestTimeoutMs: section.RequestTimeout,
    batchSize: section.BatchSize,
    maxBatchWaitMs: section.MaxBatchWaitTime,
    maxResponseBytes: section.MaxResponseBytes,
    maxCCVDataBytes: section.MaxCCVDataBytes,
    common,
  };
  const { Type: type, BaseURL = '', Address = '' } = section;
  if (type === 'rest') return createVerifierReader({ ...shared, type, baseUrl: BaseURL });
  return createVerifierReader({
    ...shared,
    type,
    address: Address,
    apiKey: section.APIKey,
    secret: section.Secret,
    insecure: section.InsecureConnection,
    caFile: section.CACertFile,
  });
}

function openSource(
  section: ChainSection,
  writer: BatchWriter,
  { common, storage, shutdown, onBackfill }: OpenIndexerOptions,
): ChainSource {
  const rpc = openRpc(section, common);
  shutdown.add(`rpc ${section.Name}`, () => rpc.close());
  return createChainSource({
    chain: {
      name: section.Name,
      selector: section.Selector,
      onRamps: onRampsOf(section),
      confirmations: section.Confirmations,
      minFinalityDepth: section.MinFinalityDepth,
      haltAfterMs: section.HaltAfter,
      pollIntervalMs: section.PollInterval,
      maxBlockRange: section.MaxBlockRange,
      crossCheck: section.CrossCheck,
    },
    rpc,
    openStore: (onRampAddresses) => createChainStore({ storage, writer, selector: section.Selector, onRampAddresses }),
    writer,
    common,
    ...(onBackfill ? { onProgress: (progress: BackfillProgress) => onBackfill(section.Name, progress) } : {}),
  });
}
