import type { Action, AddFile, Protocol, RemoveFile, TableMetadata, Transaction } from './actions.js';
import type { CommitOrigin } from './commit-json.js';
import { DeltaFormatError, DeltaUnsupportedError } from './delta-errors.js';

/** A table as of one version. Immutable: a later version is another snapshot. */
export interface DeltaSnapshot {
  readonly version: number;
  readonly protocol: Protocol;
  readonly metadata: TableMetadata;
  /** The files of the table, by `path` as the log has it. */
  readonly files: ReadonlyMap<string, AddFile>;
  /** Files that are no longer of the table, and may still be read by holders of an older snapshot. */
  readonly tombstones: ReadonlyMap<string, RemoveFile>;
  /** Transactions by `appId`. */
  readonly transactions: ReadonlyMap<string, Transaction>;
  /** The newest checkpoint known; -1 without one. */
  readonly checkpointVersion: number;
  /** Time at which the log was last read or listed, unix ms. */
  readonly readMs: number;
  /** The first version by another writer that was not rolled back since; null without one. */
  readonly foreignVersion: number | null;
  /** The newest version that was found in the store; those above it this process has committed since. */
  readonly seenVersion: number;
}

/**
 * The protocol that our tables ask for: the oldest one of readers, so that every engine reads, and a feature of writers
 * that no other engine has, so that none writes: its clean-up or deletion would lose what our readers count on. Columns
 * without nulls are an invariant, and Spark does not read a table that has one and does not name it.
 */
export const PROTOCOL: Protocol = {
  minReaderVersion: 1,
  minWriterVersion: 7,
  writerFeatures: ['invariants', 'ccvIndexer'],
};

/** The state of a builder; the maps are its own. */
interface Draft {
  protocol: Protocol | null;
  metadata: TableMetadata | null;
  readonly files: Map<string, AddFile>;
  readonly tombstones: Map<string, RemoveFile>;
  readonly transactions: Map<string, Transaction>;
  foreignVersion: number | null;
}

/** A commit as it was found in the store. */
export interface FoundCommit extends CommitOrigin {
  readonly version: number;
  readonly actions: readonly Action[];
}

/** Replays commits in version order (PROTOCOL.md, "Action Reconciliation"). */
export class SnapshotBuilder {
  readonly #draft: Draft;

  /** Starts from a snapshot, or from nothing. */
  constructor(base?: DeltaSnapshot) {
    this.#draft = {
      protocol: base?.protocol ?? null,
      metadata: base?.metadata ?? null,
      files: new Map(base?.files),
      tombstones: new Map(base?.tombstones),
      transactions: new Map(base?.transactions),
      foreignVersion: base?.foreignVersion ?? null,
    };
  }

  /** @throws DeltaUnsupportedError for a protocol that we cannot read. */
  apply(actions: readonly Action[]): this {
    const { files, tombstones, transactions } = this.#draft;
    // one commit may remove a path and add it again with other statistics: then it is there
    for (const action of actions)
      if ('remove' in action) {
        files.delete(action.remove.path);
        tombstones.set(action.remove.path, action.remove);
      }
    for (const action of actions) {
      if ('add' in action) {
        files.set(action.add.path, action.add);
        tombstones.delete(action.add.path);
      } else if ('txn' in action) transactions.set(action.txn.appId, action.txn);
      else if ('metaData' in action) this.#draft.metadata = action.metaData;
      else if ('protocol' in action) this.#draft.protocol = readable(action.protocol);
    }
    return this;
  }

  /** Applies a commit as it was found. */
  applyFound({ version, actions, isOurs, restores }: FoundCommit): this {
    const { foreignVersion } = this.#draft;
    if (!isOurs) this.#draft.foreignVersion ??= version;
    else if (foreignVersion !== null && restores !== null && restores < foreignVersion)
      this.#draft.foreignVersion = null;
    return this.apply(actions);
  }

  /**
   * `seenVersion`: `version` unless given.
   * @throws DeltaFormatError when no commit has a protocol and metadata.
   */
  build(
    at: Pick<DeltaSnapshot, 'version' | 'checkpointVersion' | 'readMs'> & Partial<Pick<DeltaSnapshot, 'seenVersion'>>,
  ): DeltaSnapshot {
    const { protocol, metadata, files, tombstones, transactions, foreignVersion } = this.#draft;
    if (!protocol || !metadata) throw new DeltaFormatError('no commit has a protocol and metadata');
    return { seenVersion: at.version, ...at, protocol, metadata, files, tombstones, transactions, foreignVersion };
  }
}

function readable(protocol: Protocol): Protocol {
  if (protocol.minReaderVersion > PROTOCOL.minReaderVersion)
    throw new DeltaUnsupportedError(`it needs a reader of version ${protocol.minReaderVersion}`);
  return protocol;
}

/** @throws DeltaUnsupportedError when the table asks for an unknown feature of a writer. */
export function checkWritable({ protocol: { minWriterVersion, writerFeatures = [] } }: DeltaSnapshot): void {
  const known = PROTOCOL.writerFeatures ?? [];
  const unknown = writerFeatures.find((feature) => !known.includes(feature));
  if (minWriterVersion === PROTOCOL.minWriterVersion && writerFeatures.length === known.length && !unknown) return;
  throw new DeltaUnsupportedError(
    `it needs a writer of version ${minWriterVersion}${unknown ? ` with the feature ${unknown}` : ''}`,
  );
}
