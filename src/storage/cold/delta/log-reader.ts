import type { Common } from '../../../core/common.js';
import { mapInParallel } from '../../../core/parallel.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { ObjectNotFoundError } from '../object-store/object-store-errors.js';
import type { Zstd } from '../parquet/zstd.js';
import type { Action } from './actions.js';
import { decodeCheckpoint } from './checkpoint.js';
import { isSealed } from './checksum.js';
import { decodeCommit, Fields, originOf } from './commit-json.js';
import { DeltaForeignError, DeltaFormatError, DeltaLostError } from './delta-errors.js';
import { checkpointName, commitName, LAST_CHECKPOINT, LOG_FOLDER, parseLogName, versionName } from './paths.js';
import { type DeltaSnapshot, type FoundCommit, SnapshotBuilder } from './snapshot.js';

/** Options of a log reader. */
export interface LogReaderOptions {
  readonly store: ObjectStore;
  /** Key of the table's root, without a slash at the end. */
  readonly root: string;
  readonly zstd: Zstd;
  readonly common: Common;
}

/** Requests under way at once. */
const PARALLEL_READS = 16;
/** The log can be cleaned up while it is read: listed entries are gone, and a newer checkpoint stands for them. */
const READ_TRIES = 3;
/**
 * A snapshot this old is not brought up to date commit by commit: the commits after it may be gone. Log entries are
 * kept for far longer (`MIN_LOG_RETENTION_MS`).
 */
const RELIST_AFTER_MS = 60 * 60 * 1000;

/** No version is above. */
const NEWEST = Number.POSITIVE_INFINITY;

/** The way of a refresh. */
export interface RefreshOptions {
  /** With another request, checks that the commits found and made before are still there. */
  readonly confirm?: boolean;
  /** The version wanted, which must be there; without it the newest one. */
  readonly upTo?: number;
}

/** The entries of a log. */
export interface LogListing {
  /** Versions, ascending. */
  readonly commits: readonly { readonly version: number; readonly modifiedMs: number }[];
  readonly checkpoints: readonly { readonly version: number; readonly modifiedMs: number }[];
}

/** Reads the log of one table. */
export class LogReader {
  readonly #options: LogReaderOptions;

  constructor(options: LogReaderOptions) {
    this.#options = options;
  }

  /** Key of a name within the log. */
  key(name: string): string {
    return `${this.#options.root}/${LOG_FOLDER}/${name}`;
  }

  /** See `DeltaLog.read`. */
  async read(upTo: number = NEWEST): Promise<DeltaSnapshot | null> {
    const snapshot = await this.readAny(upTo);
    return snapshot && this.#ours(snapshot);
  }

  /** The same, with commits of other writers. */
  async readAny(upTo: number = NEWEST): Promise<DeltaSnapshot | null> {
    for (let attempt = 1; ; attempt++) {
      const pointer = attempt === 1 ? await this.lastCheckpoint() : -1;
      const lowest = pointer > upTo ? -1 : pointer;
      try {
        const snapshot = await this.#readFrom(lowest, upTo);
        if (snapshot || lowest < 0) return snapshot;
      } catch (thrown) {
        const moved = thrown instanceof ObjectNotFoundError || thrown instanceof DeltaFormatError;
        if (!moved || attempt >= READ_TRIES) throw thrown;
        this.#options.common.log.warn({ err: thrown, table: this.#options.root }, 'Delta log is read again');
      }
    }
  }

  /** See `DeltaLog.refresh`. */
  async refresh(
    snapshot: DeltaSnapshot,
    { confirm = false, upTo = NEWEST }: RefreshOptions = {},
  ): Promise<DeltaSnapshot> {
    const nowMs = this.#options.common.clock.nowMs();
    const isOld = nowMs - snapshot.readMs > RELIST_AFTER_MS;
    if (upTo < snapshot.version || (isOld && upTo !== snapshot.version)) return await this.#readAgain(snapshot, upTo);
    // a log that was emptied or set back looks like one in which nothing is new
    if (confirm && !(await this.#isThere(snapshot))) throw await this.#lost(snapshot.version);
    let version = snapshot.version;
    let builder: SnapshotBuilder | undefined;
    for (
      let window = upTo === NEWEST ? 1 : PARALLEL_READS;
      version < upTo;
      window = Math.min(window * 2, PARALLEL_READS)
    ) {
      const length = Math.min(window, upTo - version);
      const next = Array.from({ length }, (_, index) => this.readCommit(version + 1 + index));
      const commits = await Promise.all(next);
      const end = commits.indexOf(null);
      if (end >= 0 && upTo !== NEWEST) throw await this.#lost(upTo);
      for (const commit of end < 0 ? commits : commits.slice(0, end)) {
        if (commit) builder = (builder ?? new SnapshotBuilder(snapshot)).applyFound(commit);
        version += 1;
      }
      if (end >= 0) break;
    }
    const { checkpointVersion } = snapshot;
    if (builder) return this.#ours(builder.build({ version, checkpointVersion, readMs: nowMs }));
    return { ...snapshot, readMs: nowMs, seenVersion: confirm ? version : snapshot.seenVersion };
  }

  /** @throws DeltaLostError when the table ends before the snapshot. */
  async #readAgain({ version }: DeltaSnapshot, upTo: number): Promise<DeltaSnapshot> {
    const found = await this.read(upTo);
    const least = Math.min(version, upTo);
    if (found === null || found.version < least) throw await this.#lost(least);
    return found;
  }

  async #lost(version: number): Promise<DeltaLostError> {
    const { commits } = await this.list(0);
    return new DeltaLostError(this.#options.root, version, commits.at(-1)?.version ?? -1);
  }

  /**
   * The last commit alone says nothing about those below it when this process has put it there: on top of a log that
   * was emptied it would be the only one.
   */
  async #isThere({ version, seenVersion }: DeltaSnapshot): Promise<boolean> {
    if (seenVersion === version) return await this.#hasCommit(version);
    const { commits } = await this.list(seenVersion);
    const found = new Set(commits.map((commit) => commit.version));
    for (let each = seenVersion; each <= version; each += 1) if (!found.has(each)) return false;
    return true;
  }

  #ours(snapshot: DeltaSnapshot): DeltaSnapshot {
    if (snapshot.foreignVersion === null) return snapshot;
    throw new DeltaForeignError(this.#options.root, snapshot.foreignVersion);
  }

  async #hasCommit(version: number): Promise<boolean> {
    try {
      await this.#options.store.head(this.key(commitName(version)));
      return true;
    } catch (thrown) {
      if (thrown instanceof ObjectNotFoundError) return false;
      throw thrown;
    }
  }

  /** A commit; null when there is no such version. */
  async readCommit(version: number): Promise<FoundCommit | null> {
    const name = commitName(version);
    try {
      const bytes = await this.#options.store.get(this.key(name));
      return { version, actions: decodeCommit(bytes, name), ...originOf(bytes, name) };
    } catch (thrown) {
      if (thrown instanceof ObjectNotFoundError) return null;
      throw thrown;
    }
  }

  /** The actions of a checkpoint. @throws ObjectNotFoundError, DeltaFormatError, DeltaUnsupportedError */
  async readCheckpoint(version: number): Promise<Action[]> {
    const name = checkpointName(version);
    const bytes = await this.#options.store.get(this.key(name));
    // it may stand for commits of its writer, which it does not tell of
    if (!isSealed(bytes)) throw new DeltaFormatError(`${name} was written by something else`);
    return await decodeCheckpoint(bytes, name, this.#options.zstd);
  }

  /** The version that `_last_checkpoint` names; -1 when it is missing or makes no sense. */
  async lastCheckpoint(): Promise<number> {
    try {
      return await this.readPointer();
    } catch (thrown) {
      if (!(thrown instanceof DeltaFormatError)) throw thrown;
      this.#options.common.log.warn(
        { err: thrown, table: this.#options.root },
        'Delta checkpoint pointer is unreadable',
      );
      return -1;
    }
  }

  /** The same; -1 only when there is none. @throws DeltaFormatError */
  async readPointer(): Promise<number> {
    try {
      const bytes = await this.#options.store.get(this.key(LAST_CHECKPOINT));
      return new Fields(JSON.parse(Buffer.from(bytes).toString('utf8')), LAST_CHECKPOINT).integer('version');
    } catch (thrown) {
      if (thrown instanceof ObjectNotFoundError) return -1;
      if (thrown instanceof SyntaxError)
        throw new DeltaFormatError(`${LAST_CHECKPOINT} is not JSON`, { cause: thrown });
      throw thrown;
    }
  }

  /** Commits and classic checkpoints from a version on. */
  async list(fromVersion: number): Promise<LogListing> {
    const commits: { version: number; modifiedMs: number }[] = [];
    const checkpoints: { version: number; modifiedMs: number }[] = [];
    // no table comes to 10^19 versions: log entries begin with 0
    const prefix = this.key('0');
    let startAfter: string | null = this.key(versionName(Math.max(0, fromVersion)));
    while (startAfter !== null) {
      const page = await this.#options.store.list(prefix, { startAfter });
      for (const { key, modifiedMs } of page.objects) {
        const entry = parseLogName(key.slice(this.key('').length));
        if (entry) (entry.kind === 'commit' ? commits : checkpoints).push({ version: entry.version, modifiedMs });
      }
      startAfter = page.next;
    }
    return { commits, checkpoints };
  }

  /** Null without entries: no table, or (from a version above 0) a pointer to a deleted checkpoint. */
  async #readFrom(lowest: number, upTo: number): Promise<DeltaSnapshot | null> {
    const readMs = this.#options.common.clock.nowMs();
    const listing = await this.list(lowest);
    const commits = listing.commits.filter((commit) => commit.version <= upTo);
    const checkpoints = listing.checkpoints.filter((checkpoint) => checkpoint.version <= upTo);
    const version = Math.max(commits.at(-1)?.version ?? -1, checkpoints.at(-1)?.version ?? -1);
    if (version < 0) return null;
    if (upTo !== NEWEST && version < upTo) throw new DeltaLostError(this.#options.root, upTo, version);
    const versions = new Set(commits.map((commit) => commit.version));
    const { start, builder } = await this.startFrom(checkpoints.map((checkpoint) => checkpoint.version).reverse());
    if (start < 0 && lowest >= 0) return null;
    const wanted = Array.from({ length: version - start }, (_, index) => start + 1 + index);
    for (const next of wanted) if (!versions.has(next)) throw new DeltaFormatError(`commit ${next} is missing`);
    const read = await mapInParallel(wanted, PARALLEL_READS, (next) => this.readCommit(next));
    for (const [place, commit] of read.entries()) {
      // a table without one of its commits is another table
      if (commit === null) throw new DeltaFormatError(`commit ${wanted[place]} was listed and is gone`);
      builder.applyFound(commit);
    }
    return builder.build({ version, checkpointVersion: start, readMs });
  }

  /**
   * The first of some checkpoints that can be read, -1 without one: a damaged one costs reading more commits, not the
   * table.
   */
  async startFrom(checkpoints: readonly number[]): Promise<{ start: number; builder: SnapshotBuilder }> {
    for (const version of checkpoints) {
      try {
        return { start: version, builder: new SnapshotBuilder().apply(await this.readCheckpoint(version)) };
      } catch (thrown) {
        if (!(thrown instanceof DeltaFormatError)) throw thrown;
        this.#options.common.log.error(
          { err: thrown, table: this.#options.root, version },
          'Delta checkpoint is unreadable',
        );
      }
    }
    return { start: -1, builder: new SnapshotBuilder() };
  }
}
