import { type Backoff, backoffMs } from '../../../core/backoff.js';
import type { Common } from '../../../core/common.js';
import { type Action, removeOf } from '../delta/actions.js';
import { DeltaConflictError, DeltaLostError } from '../delta/delta-errors.js';
import type { DeltaLog } from '../delta/delta-log.js';
import type { DeltaSnapshot } from '../delta/snapshot.js';
import { schemaActions } from '../rows/table-columns.js';
import { byNamedTable, NAMED_TABLES, type NamedTable, TABLE_NAMES, type TableName } from '../rows/table-name.js';
import type { DataFile } from './data-file.js';
import {
  flushTransactions,
  headOf,
  isWhole,
  type NamedVersions,
  namedVersions,
  nameTransactions,
  refuseUnended,
  vacuumOf,
  vacuumTransaction,
} from './head.js';
import { NamespaceLog } from './namespace-log.js';
import { nextView } from './next-view.js';
import { compactionMetrics, flushMetrics, type PreparedFlush, type Replacement } from './prepared.js';
import { commitBesideCompactions } from './rebased-commit.js';
import { takeBack } from './take-back.js';
import { dirtyTables, isDirty, type Survey } from './unnamed.js';
import { emptyView, type NamespaceView, rowsIn, type Snapshots } from './view.js';

/** A flush has a table for the time of two commits: a compaction waits for it rather than do its work again. */
const MAX_WAITS = 6;
const BUSY: Backoff = { baseMs: 50, maxMs: 1000 };

/**
 * The namespace: Delta tables that move as one. The ledger's commit decides: it names the versions of the others, and
 * no other version counts.
 *
 *     files stored and read back → commits to the tables of records → named by the ledger's commit
 *                                     └ lost: the next writer fences the ledger, then takes the commits back
 *
 * Of two writers one meets the other's commit, at the ledger at the latest, and starts anew on top of it. One whose
 * commits were taken back cannot commit the ledger any more, because the fence took its version. Readers ask the ledger
 * alone.
 *
 * Compactions commit to one table, and have the ledger name that: they change no answer, so a flush goes on top of them
 * instead of starting anew (`commitBesideCompactions`), named or not. A vacuum that is about to delete objects which no
 * log names commits to the tables first: their writer cannot commit them any more.
 */
export class Catalog {
  readonly #logs: Readonly<Record<TableName, DeltaLog>>;
  readonly #log: NamespaceLog;
  readonly #common: Common;
  readonly #isUpgrade: boolean;
  #view: NamespaceView = emptyView();
  #refreshing: Promise<NamespaceView> | null = null;
  #confirming: Promise<NamespaceView> | null = null;
  #isLost = false;

  constructor(parts: {
    readonly logs: Readonly<Record<TableName, DeltaLog>>;
    readonly common: Common;
    /** See `NamespaceLog`. */
    readonly isEmpty: () => Promise<boolean>;
    /** Takes a copy that has not ended. */
    readonly isUpgrade?: boolean;
  }) {
    this.#isUpgrade = parts.isUpgrade ?? false;
    this.#logs = parts.logs;
    this.#log = new NamespaceLog(parts);
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

  /** Reads the new commits of the logs: one request without new ones. Calls at the same time share it. */
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

  /** The state that this process has brought about, for a writer that is alone: nothing is beyond it. */
  get own(): Survey {
    return { view: this.#view, tops: this.#view.snapshots };
  }

  /** Confirms the view, and looks for commits beyond it. @throws DeltaLostError */
  async survey(): Promise<Survey> {
    return await this.#losing(async () => {
      for (;;) {
        const readMs = this.#common.clock.nowMs();
        const { named, tops } = await this.#log.surveyed(this.#view.snapshots);
        this.#isLost = false;
        const view = this.#adopt(named, readMs);
        // another call may have come further: the tables were looked at before that
        if (view.snapshots.ledger?.version === named.ledger?.version) return { view, tops };
      }
    });
  }

  /** The last state in which nothing that was known to come was missing; null when there is none any more. */
  async lastWhole(): Promise<NamespaceView | null> {
    if (isWhole(this.#view)) return this.#view;
    const found = await this.#log.lastWhole(this.#view.snapshots);
    return found && nextView(emptyView(), found, this.#view.readMs);
  }

  async #look(confirm: boolean): Promise<NamespaceView> {
    return await this.#losing(async () => {
      const readMs = this.#common.clock.nowMs();
      const named = await this.#log.named(this.#view.snapshots, confirm);
      if (confirm) this.#isLost = false;
      return this.#adopt(named, readMs);
    });
  }

  async #losing<T>(look: () => Promise<T>): Promise<T> {
    try {
      return await look();
    } catch (thrown) {
      if (thrown instanceof DeltaLostError) this.#isLost = true;
      throw thrown;
    }
  }

  /**
   * Makes a flush part of the namespace, on top of `base`, in which no table is dirty.
   * @throws DeltaConflictError when another writer committed since; nothing of the flush will ever be seen. Survey
   * first.
   */
  async commit({ view, tops }: Survey, flush: PreparedFlush, operation: string): Promise<NamespaceView> {
    const nowMs = this.#common.clock.nowMs();
    const opened = await this.#log.opened(tops);
    const actionsOf = (table: TableName, base: DeltaSnapshot): Action[] => [
      ...schemaActions(table, base),
      ...flush.removed[table].map(({ add }) => removeOf(add, nowMs, true)),
      ...flush.added[table].map(({ add }) => ({ add })),
    ];
    const infoOf = (table: TableName) => ({ operation, operationMetrics: flushMetrics(flush, table) });
    const committed: Record<TableName, DeltaSnapshot> = { ...opened };
    // one after the other: the winner of the first wins all, unless it is taken for dead
    for (const table of NAMED_TABLES) {
      const actionsOn = (base: DeltaSnapshot) => actionsOf(table, base);
      // most flushes have none
      if (table === 'executions' && actionsOn(opened[table]).length === 0) continue;
      committed[table] = await commitBesideCompactions(this.#logs[table], opened[table], actionsOn, infoOf(table));
    }
    const rows = byNamedTable((table) => rowsIn(committed[table]));
    const names = (ledger: DeltaSnapshot): NamedVersions => {
      const named = namedVersions(ledger);
      return byNamedTable((table) => Math.max(committed[table].version, named[table]));
    };
    const actionsOn = (ledger: DeltaSnapshot): Action[] => [
      ...actionsOf('ledger', ledger),
      ...flushTransactions(view, { head: flush.head, named: names(ledger), rows }, nowMs).map((txn) => ({ txn })),
    ];
    committed.ledger = await commitBesideCompactions(this.#logs.ledger, opened.ledger, actionsOn, infoOf('ledger'));
    return await this.#settled(committed);
  }

  /**
   * Takes the commits of a flush back that will not be ended.
   * @throws DeltaConflictError when another writer committed since. Survey first.
   */
  async takeBack(survey: Survey): Promise<Survey> {
    return await takeBack(this.#logs, survey, this.#common.clock.nowMs());
  }

  /**
   * Puts files in the place of others, which must all be in `base`. False when another writer removed one of them, or
   * a vacuum may have deleted the new ones: nothing was committed.
   */
  async replace(base: Survey, { table, removed, added }: Replacement): Promise<boolean> {
    const actions: Action[] = [
      ...removed.map(({ add }) => removeOf(add, this.#common.clock.nowMs(), false)),
      ...added.map(({ add }) => ({ add })),
    ];
    const stands = (top: DeltaSnapshot) => vacuumOf(top) === vacuumOf(base.tops[table]);
    for (let { view, tops } = base, waits = 0; ; { view, tops } = await this.survey()) {
      const [named, top] = [view.snapshots[table], tops[table]];
      if (!named || !top || !stands(top)) return false;
      if (!removed.every(({ uri }) => top.files.has(uri)) || added.some(({ uri }) => top.files.has(uri))) return false;
      if (isDirty(named, top)) {
        if (waits >= MAX_WAITS) return false;
        await this.#common.clock.sleep(backoffMs(BUSY, waits, this.#common.random));
        waits += 1;
        continue;
      }
      try {
        const info = { operation: 'OPTIMIZE', operationMetrics: compactionMetrics({ removed, added }) };
        const { [table]: opened } = await this.#log.opened(tops);
        const committed = await this.#logs[table].prepare(opened, [...schemaActions(table, opened), ...actions], info);
        if (table === 'ledger') await this.#settled({ ...view.snapshots, ledger: committed });
        else if (!(await this.#name(table, committed, added))) return false;
        return true;
      } catch (thrown) {
        if (!(thrown instanceof DeltaConflictError)) throw thrown;
      }
    }
  }

  /** Has the ledger name the compactions of processes that died before they did. */
  async takeUp(): Promise<void> {
    const survey = await this.survey();
    const dirty = new Set(dirtyTables(survey).map(({ table }) => table));
    for (const table of NAMED_TABLES) {
      const [named, top] = [survey.view.snapshots[table], survey.tops[table]];
      if (named && top && top.version > named.version && !dirty.has(table)) await this.#name(table, top, []);
    }
  }

  /**
   * Makes every writer begin anew: objects that were stored before can no longer be committed to these tables.
   * Returns the state after that.
   */
  async fenceWriters(tables: readonly TableName[]): Promise<Survey> {
    for (const table of tables)
      for (;;) {
        const { tops } = await this.survey();
        const top = tops[table];
        if (top === null) break;
        const txn = vacuumTransaction(top, this.#common.clock.nowMs());
        try {
          await this.#logs[table].prepare(top, [{ txn }], { operation: 'VACUUM START' });
          break;
        } catch (thrown) {
          if (!(thrown instanceof DeltaConflictError)) throw thrown;
        }
      }
    return await this.survey();
  }

  /** Deletes log entries of a table that a checkpoint older than `retentionMs` stands for; see `DeltaLog.expire`. */
  async expire(table: TableName, retentionMs: number): Promise<number> {
    return await this.#logs[table].expire(retentionMs);
  }

  /** Has the ledger name the commit of a compaction. False when that was taken back before. */
  async #name(table: NamedTable, committed: DeltaSnapshot, added: readonly DataFile[]): Promise<boolean> {
    for (;;) {
      const found = await this.#log.named(this.#view.snapshots, false);
      const { ledger } = found;
      if (!ledger) return false;
      const named = namedVersions(ledger);
      if (named[table] >= committed.version) {
        this.#adopt(found, -1);
        return added.every(({ uri }) => found[table]?.files.has(uri));
      }
      const nowMs = this.#common.clock.nowMs();
      const transactions = nameTransactions({ ...named, [table]: committed.version }, nowMs);
      try {
        const named = await this.#logs.ledger.prepare(
          ledger,
          transactions.map((txn) => ({ txn })),
          { operation: 'OPTIMIZE' },
        );
        await this.#settled({ ...found, [table]: committed, ledger: named });
        return true;
      } catch (thrown) {
        if (!(thrown instanceof DeltaConflictError)) throw thrown;
      }
    }
  }

  /** Takes over what this process has committed and named, with the checkpoints that are due. */
  async #settled(committed: Readonly<Record<TableName, DeltaSnapshot | null>>): Promise<NamespaceView> {
    // a compaction may have been named on top of a commit without files
    const found: Record<TableName, DeltaSnapshot | null> = { ...(await this.#log.asNamed(committed)) };
    for (const table of TABLE_NAMES) {
      const snapshot = found[table];
      if (snapshot) found[table] = await this.#logs[table].checkpointIfDue(snapshot);
    }
    return this.#adopt(found, this.#common.clock.nowMs());
  }

  /** Takes over a found state, unless a newer one is known: calls overlap (a flush, a compaction, reads). */
  #adopt(found: Snapshots, readMs: number): NamespaceView {
    const before = this.#view;
    if (!this.#isUpgrade) refuseUnended(headOf(found.ledger));
    if ((found.ledger?.version ?? -1) >= (before.snapshots.ledger?.version ?? -1))
      this.#view = nextView(before, found, Math.max(readMs, before.readMs));
    return this.#view;
  }
}
