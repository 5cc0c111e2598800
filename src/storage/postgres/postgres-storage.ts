import { type Common, createCommon } from '../../core/common.js';
import { ClosedError, InvalidArgumentError } from '../../core/errors.js';
import type { WriteBatch } from '../../model/batch.js';
import { takeBatch } from '../../model/commit/given-batch.js';
import type { Recall } from '../../model/recall.js';
import { HandedOverError } from '../../model/storage-errors.js';
import type { PrunableRecord } from '../backend-storage.js';
import type { FiledLanes } from '../filed-lanes.js';
import type { LaneRecords } from '../lane-records.js';
import type { LeaseStore } from '../lease-store.js';
import { listFace } from '../list-face.js';
import type { Mendable } from '../mendable.js';
import type { MoveStore } from '../move-store.js';
import type { ReplayJobs } from '../replay-jobs.js';
import type { Health } from '../storage.js';
import { createAdvanceHub } from './clock/advance-hub.js';
import { createAdvanceListener } from './clock/advance-listener.js';
import { decodeClock } from './clock/clock-row.js';
import { createClockWatch } from './clock/clock-watch.js';
import { createClockWriter } from './clock/clock-writer.js';
import { DEFAULT_NAMESPACE, parseNamespace } from './connection/namespace.js';
import { createPool } from './connection/pool.js';
import { DEFAULT_POOL_SETTINGS, type PoolSettings, type PostgresAddress } from './connection/pool-settings.js';
import { limitsOf } from './connection/session.js';
import { createSockets } from './connection/sockets.js';
import type { Row } from './connection/statement.js';
import { createTransactionRunner } from './connection/transaction-runner.js';
import { createHealthCheck, type PostgresUse } from './health-check.js';
import { createLaneRecords } from './lanes/lane-records.js';
import { createLeaseStore } from './lease/lease-store.js';
import { createMoveStore } from './move/move-store.js';
import { createPruning } from './prune/pruning.js';
import { createAmendmentReads } from './read/amendment-reads.js';
import { createChangeReads } from './read/change-reads.js';
import { createExecutionReads } from './read/execution-reads.js';
import { createLaneReads } from './read/lane-reads.js';
import { createListReads } from './read/list-reads.js';
import { createMessageReads } from './read/message-reads.js';
import { createTransactionReads } from './read/transaction-reads.js';
import { createReplayJobs } from './replay/replay-jobs.js';
import { hashBody } from './rows/message-body.js';
import { createChangeApplier } from './write/change-applier.js';
import { createGroupCommit } from './write/group-commit.js';
import { createGroupWriter } from './write/group-writer.js';
import { createMender } from './write/mender.js';
import { createRecordWriter } from './write/record-writer.js';
import { createStateReader } from './write/state-reader.js';

/** How to open a Postgres storage. */
export interface PostgresStorageOptions {
  /** For logs, metrics and errors. Default `postgres`. */
  readonly name?: string;
  /** A URI (`{ connectionString }`) or its parts. The database must exist and be migrated. */
  readonly connection: PostgresAddress;
  /** The schema. Default `ccv`. */
  readonly namespace?: string;
  /** Differences from `DEFAULT_POOL_SETTINGS`. */
  readonly pool?: Partial<PoolSettings>;
  readonly common?: Common;
  /** The use that `health` answers for. Default `write`: unhealthy while the database takes no writes. */
  readonly use?: PostgresUse;
  /**
   * Default true: nothing is answered once another database leads. A database that follows in a move is opened with
   * false.
   */
  readonly leads?: boolean;
  /** Reads pruned records back from the tier that holds them. A storage without it is not pruned. */
  readonly recall?: Recall | null;
}

/** The system of record. Any number of instances, in any number of processes, may read and write one namespace. */
export interface PostgresStorage extends PrunableRecord, FiledLanes, Mendable {
  readonly durable: true;
  readonly namespace: string;
  /** Who of the workers owns which source. */
  readonly leases: LeaseStore;
  /** Ranges and messages that are read again. */
  readonly replays: ReplayJobs;
  /** Notes about its lanes. */
  readonly laneRecords: LaneRecords;
  /** Its part in a move of the deployment to another database. */
  readonly moves: MoveStore;
}

/**
 * Opens a storage over a migrated namespace. It connects when it is first asked, and again after every outage.
 * @throws InvalidArgumentError when the namespace cannot be one.
 */
export function createPostgresStorage(options: PostgresStorageOptions): PostgresStorage {
  const { name = 'postgres', common = createCommon(), connection } = options;
  const namespace = parseNamespace(options.namespace ?? DEFAULT_NAMESPACE);
  const settings = { ...DEFAULT_POOL_SETTINGS, ...options.pool };
  const limits = limitsOf(connection, settings);
  // unique to this instance with overwhelming probability, across processes and restarts
  const writer =
    1n + BigInt(Math.floor(common.random() * 2 ** 31)) * 2n ** 31n + BigInt(Math.floor(common.random() * 2 ** 31));

  const sockets = createSockets(common.clock);
  const mark = `${namespace.schema}.`;
  const pool = createPool({ address: connection, settings, common, name, mark, sockets });
  const runner = createTransactionRunner({
    ...{ pool, sockets, common, name },
    repeatForMs: settings.connectTimeoutMs || DEFAULT_POOL_SETTINGS.connectTimeoutMs,
  });
  const hub = createAdvanceHub(common.log, name, createClockWatch(common, name));
  const context = { name, clock: common.clock, hub, read, readSent };
  const lists = createListReads(namespace, context);
  const messages = createMessageReads(namespace, context);
  const executions = createExecutionReads(namespace, context);
  const ofTransaction = createTransactionReads(namespace, context);
  const changes = createChangeReads(namespace, context, common);
  const amendments = createAmendmentReads(namespace, context);
  const filedLanes = createLaneReads(namespace, context);
  const reader = createStateReader(namespace, limits);
  const records = createRecordWriter(namespace);
  const clockWriter = createClockWriter(namespace, writer);
  const groupWriter = createGroupWriter({ common, name, reader, records, clockWriter, hub });
  const groups = createGroupCommit({ common, name, runner, writer: groupWriter, hub, recall: options.recall ?? null });
  const applier = createChangeApplier({ name, runner, reader, records, clockWriter, hub });
  const listener = createAdvanceListener({ common, name, namespace, mark, address: connection, settings, writer, hub });
  const mend = createMender({ name, namespace, runner, reader, records, clockWriter });
  const prune = createPruning({ clock: common.clock, namespace, runner, reader, hub });
  const readClock = () => changes.clock('check health');
  const check = createHealthCheck({ common, name, use: options.use ?? 'write', namespace, runner, readClock });
  let closing: Promise<void> | undefined;

  async function readSent(...question: Parameters<typeof runner.readSent>) {
    const seenPosition = hub.coverage().throughPosition;
    const rows = await runner.readSent(...question);
    const first = rows[0]?.fields ?? [];
    hub.requireSeen(decodeClock(first), seenPosition);
    requireLead(first);
    return rows;
  }

  async function read(...question: Parameters<typeof runner.readSent>) {
    return (await readSent(...question)).map(({ fields }) => fields);
  }

  function requireLead(row: Row): void {
    if (options.leads !== false && decodeClock(row).handedOver) throw new HandedOverError(name);
  }

  async function open<T>(work: () => Promise<T>): Promise<T> {
    if (closing) throw new ClosedError(`storage ${name}`);
    return await work();
  }

  async function insertBatch(batch: WriteBatch) {
    return await open(() => check.watch(groups.write(takeBatch(batch, hashBody))));
  }

  async function health(): Promise<Health> {
    return closing ? { healthy: false, reason: `storage ${name} is closed` } : await check.ask();
  }

  async function close(): Promise<void> {
    await groups.close();
    await listener.close();
    await runner.close();
  }

  return {
    name,
    kind: 'record',
    prunable: true,
    durable: true,
    namespace: namespace.name,
    leases: createLeaseStore(namespace, limits, runner, requireLead),
    replays: createReplayJobs(namespace, limits, runner, requireLead),
    laneRecords: createLaneRecords(namespace, runner),
    moves: createMoveStore({ namespace, runner, reader, records, clockWriter }),
    getCCVData: (messageId, part) => open(() => messages.getCCVData(messageId, part)),
    getMessage: (messageId) => open(() => messages.getMessage(messageId)),
    ...listFace({
      list: (kind, query) => open(() => lists.list(kind, query)),
      count: (kind, range) => open(() => lists.count(kind, range)),
    }),
    queryUnfinishedMessages: (query) => open(() => messages.unfinished(query)),
    getExecutions: (messageId) => open(() => executions.ofMessage(messageId)),
    getTransaction: (transactionHash) => open(() => ofTransaction(transactionHash)),
    executionsAboveBlock: (destChainSelector, afterBlock, throughBlock) =>
      open(() => executions.aboveBlock(destChainSelector, afterBlock, throughBlock)),
    messagesAboveBlock: (sourceChainSelector, afterBlock, throughBlock) =>
      open(() => messages.aboveBlock(sourceChainSelector, afterBlock, throughBlock)),
    getCursor: (sourceId) => open(() => changes.getCursor(sourceId)),
    listCursors: () => open(() => changes.listCursors()),
    queryQuarantine: (query) => open(() => changes.quarantine(query)),
    queryConflicts: (query) => open(() => changes.conflicts(query)),
    insertBatch,
    changesAfter: (afterPosition, limit) => open(() => changes.changesAfter(afterPosition, limit)),
    boundaryAt: (at) => open(() => changes.boundaryAt(at)),
    apply: (set) => open(() => applier(set)),
    mend: (ask) => open(() => mend(ask)),
    subscribe(subscriber) {
      if (!closing) listener.start();
      return hub.subscribe(subscriber);
    },
    heldCCVData: (messageId, part) => open(() => messages.heldCCVData(messageId, part)),
    heldMessage: (messageId) => open(() => messages.heldMessage(messageId)),
    movesAfter: (query) => open(() => amendments.movesAfter(query)),
    changedMessages: (query) => open(() => amendments.changedMessages(query)),
    filedLanes: (afterPosition, throughPosition) => open(() => filedLanes(afterPosition, throughPosition)),
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
