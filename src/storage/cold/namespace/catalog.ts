import type { Common } from '../../../core/common.js';
import { allOf } from '../../../core/parallel.js';
import { type Action, removeOf } from '../delta/actions.js';
import { DeltaConflictError, DeltaFormatError, DeltaLostError } from '../delta/delta-errors.js';
import type { DeltaLog } from '../delta/delta-log.js';
import type { DeltaSnapshot } from '../delta/snapshot.js';
import type { RowKey } from '../rows/row-kind.js';
import { TABLE_COLUMNS } from '../rows/table-columns.js';
import { TABLE_NAMES, type TableName } from '../rows/table-name.js';
import type { DataFile } from './data-file.js';
import type { DataFileReader } from './file-reader.js';
import { nextView } from './next-view.js';
import { commitBesideCompactions } from './rebased-commit.js';
import { mismatchesOf } from './table-mismatch.js';
import {
  emptyView,
  headOf,
  headTransactions,
  type NamespaceHead,
  type NamespaceView,
  newestOf,
  splitFiles,
} from './view.js';

/** A flush whose files are stored and checked, ready to become part of the namespace. */
export interface PreparedFlush {
  readonly head: NamespaceHead;
  readonly files: Readonly<Record<TableName, readonly DataFile[]>>;
  /** Keys of the rows of its overlay files, so that they need not be read again. */
  readonly overlayKeys: ReadonlyMap<string, readonly RowKey[]>;
}

/** The files of a compaction, and those that they stand for. */
export interface Replacement {
  readonly table: TableName;
  readonly removed: readonly DataFile[];
  readonly added: readonly DataFile[];
}

const FENCE_APP = 'ccv-indexer:fence';
const VACUUM_APP = 'ccv-indexer:vacuum';
const NOTHING_FOUND = { messages: null, verifier_results: null, ledger: null } as const;

/**
 * The namespace: three Delta tables that move as one.
 *
 * A flush commits to `messages`, then to `verifier_results`, then to `ledger`, with or without rows. The ledger
 * decides: files of a flush beyond the position that it names are not part of the namespace (torn).
 *
 *     files stored and read back → prepared (two commits) → committed (the ledger's commit)
 *                                     └ lost: the next flush fences the ledger, then removes the torn files
 *
 * Every flush commits to every table on top of the versions that its writer has seen, and so does a fence. Of two
 * writers that prepare at the same time one meets the other's commit and starts anew on top of it. A writer whose
 * files were removed cannot commit the ledger any more, because the fence took its version. Readers read the ledger
 * first: its position is then in the other tables.
 *
 * Compactions commit to one table each, at any time: they take committed files only and change no answer, so a flush
 * goes on top of them instead of starting anew (`commitBesideCompactions`). A vacuum that is about to delete objects
 * which no log names commits to the tables first: their writer cannot commit them any more.
 */
export class Catalog {
  readonly #logs: Readonly<Record<TableName, DeltaLog>>;
  readonly #reader: DataFileReader;
  readonly #common: Common;
  #view: NamespaceView = emptyView();
  #refreshing: Promise<NamespaceView> | null = null;
  #confirming: Promise<NamespaceView> | null = null;
  #isLost = false;

  constructor(parts: {
    readonly logs: Readonly<Record<TableName, DeltaLog>>;
    readonly reader: DataFileReader;
    readonly common: Common;
  }) {
    this.#logs = parts.logs;
    this.#reader = parts.reader;
    this.#common = parts.common;
  }

  /** The newest state known. */
  get view(): NamespaceView {
    return this.#view;
  }

  /** The state that was read is gone from the store: the view must be confirmed before it is relied on. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Reads the new commits of the logs: three requests without new ones. Calls at the same time share them. */
  refresh(): Promise<NamespaceView> {
    if (this.#isLost) return this.confirm();
    this.#refreshing ??= this.#look(false).finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  /** The same, and checks that the commits read before are still there. @throws DeltaLostError */
  confirm(): Promise<NamespaceView> {
    this.#confirming ??= this.#look(true).finally(() => {
      this.#confirming = null;
    });
    return this.#confirming;
  }

  async #look(confirm: boolean): Promise<NamespaceView> {
    try {
      const view = await this.#refresh(this.#view.snapshots, confirm);
      if (confirm) this.#isLost = false;
      return view;
    } catch (thrown) {
      if (thrown instanceof DeltaLostError) this.#isLost = true;
      throw thrown;
    }
  }

  /**
   * Makes a flush part of the namespace, on top of `base`; torn files of others vanish.
   * @throws DeltaConflictError when another writer committed since; nothing of the flush will ever be seen. Refresh
   * first.
   */
  async commit(base: NamespaceView, flush: PreparedFlush, operation: string): Promise<NamespaceView> {
    const nowMs = this.#common.clock.nowMs();
    const opened = await this.#open(base);
    if (base.torn.length > 0) opened.ledger = await this.#fence(opened.ledger, nowMs);
    const actionsOf = (table: TableName): Action[] => [
      ...base.torn.filter((torn) => torn.table === table).map(({ file }) => removeOf(file.add, nowMs, true)),
      ...flush.files[table].map(({ add }) => ({ add })),
      ...headTransactions(flush.head, nowMs),
    ];
    const commit = (table: TableName) =>
      commitBesideCompactions(this.#logs[table], opened[table], actionsOf(table), { operation });
    // one after the other: the winner of the first wins all, unless it is taken for dead
    const messages = await commit('messages');
    const results = await commit('verifier_results');
    const ledger = await commit('ledger');
    return await this.#adopt({ messages, verifier_results: results, ledger }, flush.overlayKeys, nowMs);
  }

  /**
   * Puts files in the place of others, which must all be in `base`. False when another writer removed one of them, or
   * a vacuum may have deleted the new ones: nothing was committed.
   */
  async replace(base: NamespaceView, { table, removed, added }: Replacement): Promise<boolean> {
    const actions: Action[] = [
      ...removed.map(({ add }) => removeOf(add, this.#common.clock.nowMs(), false)),
      ...added.map(({ add }) => ({ add })),
    ];
    const first = base.snapshots[table];
    for (let snapshot = first; snapshot; snapshot = await this.#logs[table].refresh(snapshot)) {
      const { files, transactions } = snapshot;
      if (transactions.get(VACUUM_APP)?.version !== first?.transactions.get(VACUUM_APP)?.version) return false;
      if (!removed.every(({ uri }) => files.has(uri)) || added.some(({ uri }) => files.has(uri))) return false;
      try {
        const committed = await this.#logs[table].commit(snapshot, actions, { operation: 'OPTIMIZE' });
        await this.#adoptCommit(first, table, committed);
        return true;
      } catch (thrown) {
        if (!(thrown instanceof DeltaConflictError)) throw thrown;
      }
    }
    return false;
  }

  /**
   * Makes every writer begin anew: objects that were stored before can no longer be committed to these tables.
   * Returns the state after that.
   */
  async fenceWriters(tables: readonly TableName[]): Promise<NamespaceView> {
    const found: Record<TableName, DeltaSnapshot | null> = { ...this.#view.snapshots };
    for (const table of tables)
      for (let snapshot = this.#view.snapshots[table]; snapshot; snapshot = await this.#logs[table].refresh(snapshot)) {
        const txn = {
          appId: VACUUM_APP,
          version: BigInt(snapshot.version + 1),
          lastUpdated: this.#common.clock.nowMs(),
        };
        try {
          found[table] = await this.#logs[table].commit(snapshot, [{ txn }], { operation: 'VACUUM START' });
          break;
        } catch (thrown) {
          if (!(thrown instanceof DeltaConflictError)) throw thrown;
        }
      }
    return await this.#refresh(found, false);
  }

  /**
   * Takes over a commit to one table. When others were first, their merged files may hold rows of flushes beyond the
   * known ledger: then all tables are read again, the ledger before.
   */
  async #adoptCommit(base: DeltaSnapshot | null, table: TableName, committed: DeltaSnapshot): Promise<void> {
    const found = { ...NOTHING_FOUND, [table]: committed };
    if (committed.version === (base?.version ?? -1) + 1) await this.#adopt(found, new Map(), -1);
    else await this.#refresh(newestOf(found, this.#view.snapshots), false);
  }

  /** Deletes log entries of a table that a checkpoint older than `retentionMs` stands for; see `DeltaLog.expire`. */
  async expire(table: TableName, retentionMs: number): Promise<number> {
    return await this.#logs[table].expire(retentionMs);
  }

  async #open(base: NamespaceView): Promise<Record<TableName, DeltaSnapshot>> {
    const open = async (table: TableName) => {
      const known = base.snapshots[table];
      if (known) return known;
      const opened = await this.#logs[table].open(TABLE_COLUMNS[table]);
      // another writer has created it since, and written to it: `base` does not know
      if (opened.version > 0) throw new DeltaConflictError(table, opened.version);
      return opened;
    };
    const [messages, results, ledger] = await allOf([open('messages'), open('verifier_results'), open('ledger')]);
    return { messages, verifier_results: results, ledger };
  }

  /** Makes flushes that were prepared before impossible to commit. */
  async #fence(ledger: DeltaSnapshot, nowMs: number): Promise<DeltaSnapshot> {
    const version = BigInt(ledger.version + 1);
    const txn = { appId: FENCE_APP, version, lastUpdated: nowMs };
    return await commitBesideCompactions(this.#logs.ledger, ledger, [{ txn }], { operation: 'FENCE' });
  }

  async #refresh(snapshots: NamespaceView['snapshots'], confirm: boolean): Promise<NamespaceView> {
    const readMs = this.#common.clock.nowMs();
    let ledger = await this.#newest('ledger', snapshots.ledger, confirm);
    let { messages, verifier_results: results } = snapshots;
    for (let isFirst = true; ; isFirst = false) {
      [messages, results] = await allOf([
        this.#newest('messages', messages, confirm && isFirst),
        this.#newest('verifier_results', results, confirm && isFirst),
      ]);
      const found = { messages, verifier_results: results, ledger };
      const torn = tornIn(found);
      const [mismatch] = mismatchesOf(found, (table) => torn[table]);
      const isPlain = !mismatch && TABLE_NAMES.every((table) => torn[table].length === 0);
      if (isPlain) return await this.#adopt(found, new Map(), readMs);
      const again = await this.#newest('ledger', ledger);
      const stands = again?.version === ledger?.version;
      ledger = again;
      if (!stands || (mismatch && isFirst)) continue;
      // beside a table that was set back, committed files would be taken for torn
      if (mismatch) throw new DeltaFormatError(`${mismatch.table}: ${mismatch.what}`);
      return await this.#adopt(found, new Map(), readMs);
    }
  }

  async #newest(table: TableName, known: DeltaSnapshot | null, confirm = false): Promise<DeltaSnapshot | null> {
    return known ? await this.#logs[table].refresh(known, confirm) : await this.#logs[table].read();
  }

  /**
   * Takes over found snapshots, of each table the newest: calls overlap (a flush, a compaction, reads). The snapshots
   * must go together, as those of a refresh do: a merged file counts as one of the newest flush in it, so that beside
   * an older ledger its older rows would be missing.
   */
  async #adopt(
    found: NamespaceView['snapshots'],
    keys: ReadonlyMap<string, readonly RowKey[]>,
    readMs: number,
  ): Promise<NamespaceView> {
    for (;;) {
      const before = this.#view;
      const snapshots = newestOf(found, before.snapshots);
      const view = await nextView(before, { snapshots, keys, readMs: Math.max(readMs, before.readMs) }, this.#reader);
      // another call may have come further while keys were read
      if (this.#view !== before) continue;
      this.#view = view;
      return view;
    }
  }
}

/** The files of each table beyond where the ledger stands. */
function tornIn(found: NamespaceView['snapshots']): Readonly<Record<TableName, readonly DataFile[]>> {
  const { position } = headOf(found.ledger);
  const of = (table: TableName) => splitFiles(found[table], position).torn;
  return { messages: of('messages'), verifier_results: of('verifier_results'), ledger: of('ledger') };
}
