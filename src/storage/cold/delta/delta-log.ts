import { randomUUID } from 'node:crypto';
import { InvalidArgumentError } from '../../../core/errors.js';
import { counter } from '../../../core/metrics.js';
import { ObjectStoreUnavailableError } from '../object-store/object-store-errors.js';
import type { ColumnSpec } from '../parquet/columns.js';
import type { Action, CommitInfo, Transaction } from './actions.js';
import { checkActions } from './check-actions.js';
import { encodeCheckpoint } from './checkpoint.js';
import { encodeCommit, ROLLBACK } from './commit-json.js';
import { DeltaConflictError, DeltaFormatError } from './delta-errors.js';
import { LogReader, type LogReaderOptions, type RefreshOptions } from './log-reader.js';
import { newTable } from './new-table.js';
import { checkpointName, commitName, LAST_CHECKPOINT } from './paths.js';
import { checkThere, rollbackActions } from './rollback.js';
import { checkWritable, type DeltaSnapshot, SnapshotBuilder } from './snapshot.js';

/** The place of a table and the upkeep of its log. */
export interface DeltaLogOptions extends LogReaderOptions {
  /** Name of the table for metrics, from a closed set. */
  readonly table: string;
  /** A checkpoint is written with every version that this divides. Default 100. */
  readonly checkpointEvery?: number;
  /** Time for which the log remembers a removed file. Default 7 days, Delta's own. */
  readonly tombstoneRetentionMs?: number;
  /** Time for which removed files and log entries stay, as the table tells other engines. Default 7 days. */
  readonly keptMs?: { readonly files: number; readonly log: number };
  /** The meaning of the table, for people. */
  readonly description?: string;
  /** Makes GUIDs; for tests. */
  readonly createId?: () => string;
}

/**
 * One Delta table over an object store (delta-io/delta, PROTOCOL.md). Safe for any number of readers and writers,
 * which share nothing but the store: a version exists as soon as its commit does, and only one writer can create
 * that.
 *
 * Every method throws the errors of the store, and DeltaFormatError or DeltaUnsupportedError for a log that it cannot
 * read.
 */
export interface DeltaLog {
  /** Key of an object below the table's root. */
  key(path: string): string;
  /**
   * The table as it is now, or as of version `upTo`; null when there is none.
   * @throws DeltaLostError when the table ends below `upTo`.
   */
  read(upTo?: number): Promise<DeltaSnapshot | null>;
  /**
   * The table as it is now; creates it, with these columns, the partition column `day` and some transactions, when
   * there is none.
   */
  open(columns: readonly ColumnSpec[], transactions?: readonly Transaction[]): Promise<DeltaSnapshot>;
  /** The same where a look at the log has just found no table: one request, unless another writer was first. */
  create(columns: readonly ColumnSpec[], transactions?: readonly Transaction[]): Promise<DeltaSnapshot>;
  /**
   * The table as it is now, or as of a version, from a snapshot of it. One request when nothing is new, none when the
   * snapshot is of that version.
   * @throws DeltaLostError when commits are gone that are looked for.
   */
  refresh(snapshot: DeltaSnapshot, options?: RefreshOptions): Promise<DeltaSnapshot>;
  /**
   * Adds the next version, all of it or nothing, and a checkpoint when one is due.
   * After an ObjectStoreUnavailableError the commit may exist, or come to exist later: refresh, look for its `txn`, and
   * commit again on top of that. Two commits on one snapshot can never both succeed.
   * @throws DeltaConflictError when another writer was first; nothing was committed.
   * @throws InvalidArgumentError for actions that contradict each other or the snapshot.
   */
  commit(snapshot: DeltaSnapshot, actions: readonly Action[], info: CommitInfo): Promise<DeltaSnapshot>;
  /** The same without a checkpoint: whether the version counts is not decided yet. */
  prepare(snapshot: DeltaSnapshot, actions: readonly Action[], info: CommitInfo): Promise<DeltaSnapshot>;
  /**
   * Makes the table be as it was before the first commit of another writer; null when there is none of those.
   * @throws ForeignFilesGoneError when a file that was removed is gone from the store.
   */
  rollBack(): Promise<RolledBack | null>;
  /** Writes the checkpoint of a snapshot, unless it exists, and points to it. */
  checkpoint(snapshot: DeltaSnapshot): Promise<void>;
  /** Writes the checkpoint of a snapshot when one is due. A failure is only logged: the next one tries again. */
  checkpointIfDue(snapshot: DeltaSnapshot): Promise<DeltaSnapshot>;
  /**
   * Deletes the log entries that a readable checkpoint older than `retentionMs` stands for. Returns how many. Readers
   * that look at the table once an hour never miss them.
   * @throws InvalidArgumentError when `retentionMs` is below MIN_LOG_RETENTION_MS.
   */
  expire(retentionMs: number): Promise<number>;
}

/** The outcome of a rollback. */
export interface RolledBack {
  readonly restoredVersion: number;
  /** Commits whose effect is gone. */
  readonly undone: number;
}

const DEFAULT_CHECKPOINT_EVERY = 100;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Delta's own default. */
export const DEFAULT_TOMBSTONE_RETENTION_MS = 7 * DAY_MS;
/** Far above the pause of a reader between two looks at the log. */
export const MIN_LOG_RETENTION_MS = DAY_MS;

export function createDeltaLog(options: DeltaLogOptions): DeltaLog {
  return new Log(options);
}

type CommitResult = 'committed' | 'conflict' | 'failed';

class Log implements DeltaLog {
  readonly #options: DeltaLogOptions;
  readonly #reader: LogReader;
  readonly #checkpointEvery: number;
  readonly #tombstoneRetentionMs: number;
  readonly #createId: () => string;
  readonly #commits;

  constructor(options: DeltaLogOptions) {
    this.#options = options;
    this.#reader = new LogReader(options);
    this.#checkpointEvery = options.checkpointEvery ?? DEFAULT_CHECKPOINT_EVERY;
    this.#tombstoneRetentionMs = options.tombstoneRetentionMs ?? DEFAULT_TOMBSTONE_RETENTION_MS;
    this.#createId = options.createId ?? randomUUID;
    this.#commits = counter<'table' | 'result'>(options.common.metrics, {
      name: 'indexer_delta_commits_total',
      help: 'Attempts to add a version to a Delta table, by outcome.',
      labelNames: ['table', 'result'],
    });
  }

  key(path: string): string {
    return `${this.#options.root}/${path}`;
  }

  read(upTo?: number): Promise<DeltaSnapshot | null> {
    return this.#reader.read(upTo);
  }

  refresh(snapshot: DeltaSnapshot, options?: RefreshOptions): Promise<DeltaSnapshot> {
    return this.#reader.refresh(snapshot, options);
  }

  async open(columns: readonly ColumnSpec[], transactions: readonly Transaction[] = []): Promise<DeltaSnapshot> {
    return (await this.#reader.read()) ?? (await this.create(columns, transactions));
  }

  async create(columns: readonly ColumnSpec[], transactions: readonly Transaction[] = []): Promise<DeltaSnapshot> {
    const nowMs = this.#options.common.clock.nowMs();
    const actions: Action[] = newTable({
      ...{ id: this.#createId(), name: this.#options.table, columns, transactions, createdMs: nowMs },
      description: this.#options.description ?? null,
      checkpointEvery: this.#checkpointEvery,
      keptMs: this.#options.keptMs ?? { files: 7 * DAY_MS, log: 7 * DAY_MS },
    });
    try {
      await this.#put(0, actions, { operation: 'CREATE TABLE' });
    } catch (thrown) {
      if (!(thrown instanceof DeltaConflictError)) throw thrown;
      return (await this.#reader.read()) ?? lost(this.#options.root);
    }
    return new SnapshotBuilder().apply(actions).build({ version: 0, checkpointVersion: -1, readMs: nowMs });
  }

  async commit(snapshot: DeltaSnapshot, actions: readonly Action[], info: CommitInfo): Promise<DeltaSnapshot> {
    return await this.checkpointIfDue(await this.prepare(snapshot, actions, info));
  }

  async prepare(snapshot: DeltaSnapshot, actions: readonly Action[], info: CommitInfo): Promise<DeltaSnapshot> {
    checkWritable(snapshot);
    checkActions(snapshot, actions);
    const version = snapshot.version + 1;
    await this.#put(version, actions, info);
    const { checkpointVersion, seenVersion } = snapshot;
    const readMs = this.#options.common.clock.nowMs();
    const at = { version, checkpointVersion, seenVersion, readMs };
    return new SnapshotBuilder(snapshot).apply(actions).build(at);
  }

  async rollBack(): Promise<RolledBack | null> {
    const now = await this.#reader.readAny();
    if (now === null || now.foreignVersion === null) return null;
    const restored = now.foreignVersion - 1;
    const before = await this.#reader.readAny(restored);
    if (before === null) throw new DeltaFormatError('the table was made by something else');
    const actions = rollbackActions(now, before, this.#options.common.clock.nowMs());
    await checkThere(this.#options.store, actions, (path) => this.key(path));
    const operationParameters = { [ROLLBACK.parameter]: String(restored) };
    await this.#put(now.version + 1, actions, { operation: ROLLBACK.operation, operationParameters });
    return { restoredVersion: restored, undone: now.version - restored };
  }

  async checkpointIfDue(snapshot: DeltaSnapshot): Promise<DeltaSnapshot> {
    const { version, checkpointVersion } = snapshot;
    const countTo = (upTo: number) => Math.floor(Math.max(0, upTo) / this.#checkpointEvery);
    if (countTo(version) === countTo(checkpointVersion)) return snapshot;
    try {
      // another writer may have made it
      const newest = await this.#reader.lastCheckpoint();
      if (countTo(newest) >= countTo(version)) return { ...snapshot, checkpointVersion: newest };
      await this.checkpoint(snapshot);
      return { ...snapshot, checkpointVersion: version };
    } catch (thrown) {
      const { common, root } = this.#options;
      common.log.warn({ err: thrown, table: root, version }, 'Delta checkpoint was not written');
      return snapshot;
    }
  }

  async checkpoint(snapshot: DeltaSnapshot): Promise<void> {
    const { store, zstd, common } = this.#options;
    const expiredBeforeMs = common.clock.nowMs() - this.#tombstoneRetentionMs;
    const { bytes, actions, addFiles } = encodeCheckpoint(snapshot, expiredBeforeMs, zstd);
    // the one of another writer says the same
    await store.putIfAbsent(this.#reader.key(checkpointName(snapshot.version)), bytes);
    const pointer = { version: snapshot.version, size: actions, sizeInBytes: bytes.length, numOfAddFiles: addFiles };
    if ((await this.#reader.lastCheckpoint()) >= snapshot.version) return;
    // objects are never overwritten; readers that find none in between list the log
    const key = this.#reader.key(LAST_CHECKPOINT);
    await store.deleteMany([key]);
    await store.putIfAbsent(key, Buffer.from(JSON.stringify(pointer), 'utf8'));
  }

  async expire(retentionMs: number): Promise<number> {
    if (!(retentionMs >= MIN_LOG_RETENTION_MS))
      throw new InvalidArgumentError(`log entries are kept for at least ${MIN_LOG_RETENTION_MS} ms`);
    const cutoffMs = this.#options.common.clock.nowMs() - retentionMs;
    const { commits, checkpoints } = await this.#reader.list(0);
    const cutoff = commits.filter(({ modifiedMs }) => modifiedMs <= cutoffMs).at(-1)?.version ?? -1;
    const namesBelow = (kept: number) => [
      ...commits.filter(({ version }) => version < kept).map(({ version }) => commitName(version)),
      ...checkpoints.filter(({ version }) => version < kept).map(({ version }) => checkpointName(version)),
    ];
    const candidates = checkpoints.map(({ version }) => version).filter((version) => version <= cutoff);
    if (namesBelow(candidates.at(-1) ?? -1).length === 0) return 0;
    // PROTOCOL.md, "Metadata Cleanup": its commit stays too. A checkpoint that stands for all before must be readable
    const { start: kept } = await this.#reader.startFrom(candidates.reverse());
    const names = namesBelow(kept);
    if (names.length > 0) await this.#options.store.deleteMany(names.map((name) => this.#reader.key(name)));
    return names.length;
  }

  /** Creates a commit. Resolves only when it is ours. */
  async #put(version: number, actions: readonly Action[], info: CommitInfo): Promise<void> {
    const { store, common, root } = this.#options;
    const stamp = { txnId: this.#createId(), timestamp: common.clock.nowMs() };
    const bytes = encodeCommit(actions, info, stamp);
    const key = this.#reader.key(commitName(version));
    try {
      if ((await store.putIfAbsent(key, bytes)) === 'created') return this.#count('committed');
    } catch (thrown) {
      if (!(thrown instanceof ObjectStoreUnavailableError)) {
        this.#count('failed');
        throw thrown;
      }
      await this.#settle(key, bytes, version, thrown);
      return;
    }
    // a put that the store retried by itself meets its own first try
    if (await this.#isOurs(key, bytes)) return this.#count('committed');
    this.#count('conflict');
    throw new DeltaConflictError(root, version);
  }

  /** The store did not answer: the commit exists or not. Rethrows `thrown` when that cannot be told. */
  async #settle(key: string, bytes: Uint8Array, version: number, thrown: ObjectStoreUnavailableError): Promise<void> {
    const ours = await this.#isOurs(key, bytes).catch(() => {
      this.#count('failed');
      throw thrown;
    });
    this.#count(ours ? 'committed' : 'conflict');
    if (!ours) throw new DeltaConflictError(this.#options.root, version);
  }

  /** @throws ObjectNotFoundError when there is no such commit. */
  async #isOurs(key: string, bytes: Uint8Array): Promise<boolean> {
    return Buffer.from(await this.#options.store.get(key)).equals(bytes);
  }

  #count(result: CommitResult): void {
    this.#commits.inc({ table: this.#options.table, result });
  }
}

function lost(root: string): never {
  throw new DeltaFormatError(`table ${root} was created and is gone`);
}
