/**
 * The library: the storages, the Sink that makes them one, read conditions, the protocol's codecs, the pool of a
 * chain's RPC nodes, and their types.
 *
 * ```ts
 * const sink = createSink({
 *   backends: [
 *     { storage: createMemoryStorage({ name: 'hot', ttlMs: 86_400_000 }), condition: recentRead(86_400_000) },
 *     { storage: createPostgresStorage({ name: 'warm', connection: { connectionString } }) },
 *   ],
 * });
 * ```
 *
 * @packageDocumentation
 */

export type { RpcUrlStatus } from './chains/rpc/endpoint-order.js';
export { RpcError, type RpcErrorKind, type RpcOrigin, RpcRefusedError } from './chains/rpc/rpc-errors.js';
export type { RpcNode } from './chains/rpc/rpc-node.js';
export { createRpcPool, type RpcPool, type RpcPoolOptions } from './chains/rpc/rpc-pool.js';
export type { Backoff } from './core/backoff.js';
export { type Clock, systemClock } from './core/clock.js';
export { type Common, createCommon } from './core/common.js';
export {
  AbortedError,
  ClosedError,
  IndexerError,
  type IndexerErrorOptions,
  InvalidArgumentError,
} from './core/errors.js';
export { bytesToHex, type Hex, hexToBytes, isHex } from './core/hex.js';
export { createLogger, type Logger, type LoggerOptions, silentLogger } from './core/logger.js';
export { Registry } from './core/metrics.js';
export { type Random, seededRandom, systemRandom } from './core/random.js';
export type {
  Change,
  ChangeSet,
  CursorMove,
  Lease,
  Orphaning,
  StatusChange,
  WriteBatch,
  WriteOutcome,
} from './model/batch.js';
export type { Boundary } from './model/boundary.js';
export { type AsOf, type Coverage, covers } from './model/coverage.js';
export type { Held, HeldMessage, HeldResults } from './model/held.js';
export type { Count, CountQuery, ListQuery, Page } from './model/list-query.js';
export type { ResultsPart } from './model/outlines.js';
export {
  alwaysRead,
  type Interval,
  neverRead,
  olderRead,
  type ReadCondition,
  recentRead,
  timeRangeRead,
} from './model/read-conditions.js';
export type { Recall, Recalled } from './model/recall.js';
export type {
  Conflict,
  MessageOrigin,
  MessageStatus,
  NewMessage,
  QuarantineEntry,
  SourceCursor,
  Stamp,
  StoredConflict,
  StoredMessage,
  StoredQuarantineEntry,
  StoredSourceCursor,
  StoredVerifierResult,
  VerifierResult,
} from './model/records.js';
export {
  CCVDataNotFoundError,
  ConflictingCCVDataError,
  CoverageGapError,
  CursorConflictError,
  DivergedError,
  DuplicateCCVDataError,
  type Gap,
  LeaseLostError,
  MessageNotFoundError,
  PositionGapError,
  StorageFailureError,
  StorageSetBackError,
  StorageUnavailableError,
} from './model/storage-errors.js';
export { CCVAndExecutorHashError, computeCCVAndExecutorHash } from './protocol/ccv-and-executor-hash.js';
export { DISCOVERY_ONLY_TAG, isDiscoveryOnly } from './protocol/discovery-only.js';
export { JsonSyntaxError, parseExactJson, stringifyExactJson } from './protocol/exact-json.js';
export { type ChainHeads, type Finality, isFinalityReached, parseFinality } from './protocol/finality.js';
export { computeMessageId, keccak256 } from './protocol/keccak.js';
export type { Lane, Message, TokenTransfer } from './protocol/message.js';
export {
  decodeMessage,
  encodeMessage,
  MESSAGE_BASE_BYTES,
  MessageDecodeError,
  MessageEncodeError,
  type MessageFault,
} from './protocol/message-codec.js';
export { MessageJsonError, messageFromJson, messageJson } from './protocol/message-json.js';
export { type SplitReceipts, splitReceipts, TooFewReceiptsError } from './protocol/receipts.js';
export {
  CCTP_TAG,
  COMMITTEE_TAG,
  type CommitteeConfig,
  type CommitteeProof,
  CommitteeProofError,
  type CommitteeSignature,
  committeeDigest,
  LOMBARD_TAG,
  parseCommitteeProof,
  recoverCommitteeSigners,
  signCommitteeProof,
  verifyCommitteeProof,
} from './protocol/signatures.js';
export {
  decodeTokenTransfer,
  encodeTokenTransfer,
  TOKEN_TRANSFER_BASE_BYTES,
} from './protocol/token-transfer-codec.js';
export { FollowerAheadError } from './sink/follow/follower-ahead-error.js';
export type { FollowerState } from './sink/follow/follower-options.js';
export type { ExplainedSlice, Explanation, PlainCoverage } from './sink/read/explain.js';
export {
  RestoreError,
  type RestoreOptions,
  type RestoreProgress,
  type RestoreReport,
  restore,
} from './sink/restore/restore.js';
export { createSimpleSink, createSink, type Sink } from './sink/sink.js';
export type { PartialFailure, SinkBackend, SinkOptions, Tier } from './sink/sink-options.js';
export type { BackendStatus } from './sink/sink-status.js';
export { type BackendFailure, SinkWriteError } from './sink/sink-write-error.js';
export type {
  ArchiveStorage,
  BackendStorage,
  Holdings,
  LastingRecord,
  PrunableRecord,
  PruneOptions,
  PruneOutcome,
  RecordStorage,
  SharedPlace,
  WindowStorage,
} from './storage/backend-storage.js';
/** @deprecated The name until 0.1: use `createColdStorage`. */
export {
  type ColdStorage,
  createColdStorage,
  createColdStorage as createS3Storage,
} from './storage/cold/cold-storage.js';
export type {
  ColdDescription,
  ColdMaintenance,
  ColdTableDescription,
  CompactionReport,
  MaintenanceOptions,
  MaintenanceProgress,
  RollbackReport,
  TableCompaction,
  UpgradeReport,
  VacuumReport,
  VerifyProblem,
  VerifyReport,
} from './storage/cold/maintenance/cold-maintenance.js';
export type { ColdStorageOptions, ColdStorageRole } from './storage/cold/namespace/cold-storage-options.js';
export { ArchiveWriteError } from './storage/cold/namespace/namespace-errors.js';
export {
  createDirectoryObjectStore,
  type DirectoryObjectStoreOptions,
} from './storage/cold/object-store/directory/directory-store.js';
export type {
  ByteRange,
  ListedObject,
  ListOptions,
  ObjectHead,
  ObjectPage,
  ObjectStore,
} from './storage/cold/object-store/object-store.js';
export {
  type DeleteFailure,
  ObjectDeleteError,
  ObjectNotFoundError,
  ObjectRangeError,
  ObjectStoreError,
  ObjectStoreUnavailableError,
} from './storage/cold/object-store/object-store-errors.js';
export {
  createS3ObjectStore,
  type S3ObjectStore,
  type S3ObjectStoreOptions,
} from './storage/cold/object-store/s3/s3-store.js';
export { insertCCVData } from './storage/insert-ccv-data.js';
export type { LeaseStore, Member, Shares, SourceLease } from './storage/lease-store.js';
export {
  createMemoryStorage,
  type MemoryStorage,
  type MemoryStorageOptions,
} from './storage/memory/memory-storage.js';
export { FollowerWriteError, PrimaryFollowError } from './storage/memory/role-errors.js';
export { UnsuitableDatabaseError } from './storage/postgres/connection/database.js';
export {
  DEFAULT_POOL_SETTINGS,
  type PoolSettings,
  type PostgresAddress,
} from './storage/postgres/connection/pool-settings.js';
export type { PostgresUse } from './storage/postgres/health-check.js';
export type { LockHolder, MigrationWait } from './storage/postgres/migrate/migration-run.js';
export {
  type AppliedMigration,
  MigrationError,
  type MigrationOptions,
  type MigrationStatus,
  migrate,
  migrationStatus,
  type PendingMigration,
} from './storage/postgres/migrate/migrations.js';
export {
  createPostgresStorage,
  type PostgresStorage,
  type PostgresStorageOptions,
} from './storage/postgres/postgres-storage.js';
export { RecallError } from './storage/postgres/write/group-commit.js';
export { recallFrom } from './storage/recall-from.js';
export type { AdvanceEvent, AdvanceListener, Health, Storage } from './storage/storage.js';
