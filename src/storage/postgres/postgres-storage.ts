import { type Common, createCommon } from '../../core/common.js';
import { ClosedError, InvalidArgumentError, toError } from '../../core/errors.js';
import { gauge } from '../../core/metrics.js';
import type { WriteBatch } from '../batch.js';
import { ConflictingCCVDataError, DuplicateCCVDataError, StorageUnavailableError } from '../errors.js';
import type { Recall } from '../recall.js';
import type { VerifierResult } from '../records.js';
import type { Health, PrunableStorage } from '../storage.js';
import { createAdvanceHub } from './advance-hub.js';
import { createAdvanceListener } from './advance-listener.js';
import { createAmendmentReads } from './amendment-reads.js';
import { createChangeApplier } from './change-applier.js';
import { createChangeReads } from './change-reads.js';
import { createClockWatch } from './clock-watch.js';
import { createClockWriter } from './clock-writer.js';
import { createGroupCommit } from './group-commit.js';
import { createGroupWriter } from './group-writer.js';
import { createListReads } from './list-reads.js';
import { createMessageReads } from './message-reads.js';
import { DEFAULT_NAMESPACE, parseNamespace } from './namespace.js';
import { createPool, DEFAULT_POOL_SETTINGS, type PoolSettings, type PostgresAddress } from './pool.js';
import { prepareBatch } from './prepared-batch.js';
import { createPruning } from './pruning.js';
import { createRecordWriter } from './record-writer.js';
import { createSockets } from './sockets.js';
import { createStateReader } from './state-reader.js';
import { createTransactionRunner } from './transaction-runner.js';

const HEALTH_TIMEOUT_MS = 2_000;

/** How to open a Postgres storage. */
export interface PostgresStorageOptions {
  /** For logs, metrics and errors. Default `postgres`. */
  readonly name?: string;
  /** A URI (`{ connectionString }`) or its parts. The database must exist and be migrated. */
  readonly connection: PostgresAddress;
  /** The schema. Default `ccv`. */
  readonly namespace?: string;
  /** What differs from `DEFAULT_POOL_SETTINGS`. */
  readonly pool?: Partial<PoolSettings>;
  readonly common?: Common;
  /** Reads pruned records back from the tier that holds them. A storage without it is not pruned. */
  readonly recall?: Recall | null;
}

/** The system of record. Any number of instances, in any number of processes, may read and write one namespace. */
export interface PostgresStorage extends PrunableStorage {
  readonly durable: true;
  readonly namespace: string;
}

/**
 * Opens a storage over a migrated namespace. It connects when it is first asked, and again after every outage.
 * @throws InvalidArgumentError when the namespace cannot be one.
 */
export function createPostgresStorage(options: PostgresStorageOptions): PostgresStorage {
  const { name = 'postgres', common = createCommon(), connection } = options;
  const namespace = parseNamespace(options.namespace ?? DEFAULT_NAMESPACE);
  const settings = { ...DEFAULT_POOL_SETTINGS, ...options.pool };
  // unique to this instance with overwhelming probability, across processes and restarts
  const writer =
    1n + BigInt(Math.floor(common.random() * 2 ** 31)) * 2n ** 31n + BigInt(Math.floor(common.random() * 2 ** 31));

  const sockets = createSockets(common.clock);
  const pool = createPool(connection, settings, common, name, sockets);
  const runner = createTransactionRunner({
    ...{ pool, sockets, common, name },
    maxIdleConnections: settings.maxIdleConnections,
    repeatForMs: settings.connectTimeoutMs || DEFAULT_POOL_SETTINGS.connectTimeoutMs,
  });
  const hub = createAdvanceHub(common.log, createClockWatch(common, name));
  const context = { name, hub, read: runner.read };
  const lists = createListReads(namespace, context);
  const messages = createMessageReads(namespace, context);
  const changes = createChangeReads(namespace, context, common);
  const amendments = createAmendmentReads(namespace, context);
  const reader = createStateReader(namespace);
  const records = createRecordWriter(namespace);
  const clockWriter = createClockWriter(namespace, writer);
  const groupWriter = createGroupWriter({ common, name, reader, records, clockWriter });
  const groups = createGroupCommit({ common, name, runner, writer: groupWriter, hub, recall: options.recall ?? null });
  const applier = createChangeApplier({ name, runner, reader, records, clockWriter, hub });
  const listener = createAdvanceListener({ common, name, namespace, address: connection, settings, writer, hub });
  const prune = createPruning({ clock: common.clock, namespace, runner, reader, hub });
  watchPool(pool, common, name);
  let closing: Promise<void> | undefined;

  async function open<T>(work: () => Promise<T>): Promise<T> {
    if (closing) throw new ClosedError(`storage ${name}`);
    return await work();
  }

  async function insertBatch(batch: WriteBatch) {
    return await open(() => groups.write(prepareBatch(batch)));
  }

  async function insertCCVData(result: VerifierResult): Promise<void> {
    const { messageId, verifierSourceAddress, verifierDestAddress } = result;
    const outcome = await insertBatch({ verifierResults: [result] });
    if (outcome.verifierResults[0] === 'duplicate')
      throw new DuplicateCCVDataError(messageId, verifierSourceAddress, verifierDestAddress);
    if (outcome.verifierResults[0] === 'conflict')
      throw new ConflictingCCVDataError(messageId, verifierSourceAddress, verifierDestAddress);
  }

  async function health(): Promise<Health> {
    if (closing) return { healthy: false, reason: `storage ${name} is closed` };
    const answered = new AbortController();
    const silence = common.clock.sleep(HEALTH_TIMEOUT_MS, answered.signal).then(() => {
      throw new StorageUnavailableError(name, 'answer in time');
    });
    try {
      await Promise.race([changes.clock('check health'), silence]);
      return { healthy: true, reason: null };
    } catch (error) {
      return { healthy: false, reason: toError(error).message };
    } finally {
      answered.abort();
    }
  }

  async function close(): Promise<void> {
    await groups.close();
    await listener.close();
    await runner.close();
  }

  return {
    name,
    durable: true,
    namespace: namespace.name,
    getCCVData: (messageId, part) => open(() => messages.getCCVData(messageId, part)),
    queryCCVData: (query) => open(() => lists.results(query)),
    countCCVData: (query) => open(() => lists.count('results', query)),
    getMessage: (messageId) => open(() => messages.getMessage(messageId)),
    queryMessages: (query) => open(() => lists.messages(query)),
    countMessages: (query) => open(() => lists.count('messages', query)),
    queryUnfinishedMessages: (query) => open(() => messages.unfinished(query)),
    messagesAboveBlock: (sourceChainSelector, afterBlock) =>
      open(() => messages.aboveBlock(sourceChainSelector, afterBlock)),
    getCursor: (sourceId) => open(() => changes.getCursor(sourceId)),
    listCursors: () => open(() => changes.listCursors()),
    queryQuarantine: (query) => open(() => changes.quarantine(query)),
    queryConflicts: (query) => open(() => changes.conflicts(query)),
    insertCCVData,
    insertBatch,
    changesAfter: (afterPosition, limit) => open(() => changes.changesAfter(afterPosition, limit)),
    boundaryAt: (at) => open(() => changes.boundaryAt(at)),
    apply: (set) => open(() => applier(set)),
    subscribe(subscriber) {
      if (!closing) listener.start();
      return hub.subscribe(subscriber);
    },
    heldCCVData: (messageId, part) => open(() => messages.heldCCVData(messageId, part)),
    heldMessage: (messageId) => open(() => messages.heldMessage(messageId)),
    movesAfter: (query) => open(() => amendments.movesAfter(query)),
    changedMessages: (query) => open(() => amendments.changedMessages(query)),
    prune: (upTo, pruneOptions) =>
      open(() => {
        if (!options.recall)
          throw new InvalidArgumentError(`storage ${name} has no recall: what is pruned would be lost`);
        return prune(upTo, pruneOptions);
      }),
    coverage: () => hub.coverage(),
    health,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

function watchPool(pool: ReturnType<typeof createPool>, { metrics }: Common, storage: string): void {
  const connections = gauge(metrics, {
    name: 'indexer_postgres_connections',
    help: 'Connections of the pool by what they do; waiting: callers without one',
    labelNames: ['storage', 'state'],
  });
  const update = () => {
    connections.set({ storage, state: 'idle' }, pool.idleCount);
    connections.set({ storage, state: 'busy' }, pool.totalCount - pool.idleCount);
    connections.set({ storage, state: 'waiting' }, pool.waitingCount);
  };
  for (const event of ['acquire', 'release', 'remove'] as const) pool.on(event, update);
}
