import type { Common } from '../../core/common.js';
import { type ColdFile, TABLE_NAMES, type TableName } from './cold-layout.js';
import { Overlay } from './cold-overlay.js';
import type { ColdReader } from './cold-reader.js';
import type { RowKey } from './cold-rows-kind.js';
import { LEDGER_ROWS } from './cold-rows-ledger.js';
import { MESSAGE_ROWS } from './cold-rows-messages.js';
import { VERIFIER_RESULT_ROWS } from './cold-rows-verifier-results.js';
import {
  type ColdHead,
  type ColdView,
  emptyView,
  headOf,
  headTransactions,
  MESSAGE_TABLE,
  RESULT_TABLE,
  splitFiles,
  type TableView,
} from './cold-view.js';
import { type Action, removeOf } from './delta-actions.js';
import { DeltaConflictError } from './delta-errors.js';
import type { DeltaLog } from './delta-log.js';
import type { DeltaSnapshot } from './delta-snapshot.js';

/** A flush whose files are stored and checked, ready to become part of the namespace. */
export interface PreparedFlush {
  readonly head: ColdHead;
  readonly files: Readonly<Record<TableName, readonly ColdFile[]>>;
  /** Keys of the rows of its overlay files, so that nobody has to read them again. */
  readonly overlayKeys: ReadonlyMap<string, readonly RowKey[]>;
}

const FENCE_APP = 'ccv-indexer:fence';
const COLUMNS = {
  messages: MESSAGE_ROWS.columns,
  verifier_results: VERIFIER_RESULT_ROWS.columns,
  ledger: LEDGER_ROWS.columns,
} as const;

/**
 * What the namespace is: three Delta tables that move as one.
 *
 * A flush commits to `messages`, then to `verifier_results`, then to `ledger`, with or without rows. The ledger decides:
 * files of a flush beyond the position that it names are not part of the namespace (torn). So
 *
 *     files stored and read back → prepared (two commits) → committed (the ledger's commit)
 *                                     └ lost: whoever flushes next fences the ledger, then removes the torn files
 *
 * Every flush commits to every table on top of what its writer has seen, and so does a fence. Of two writers that prepare
 * at the same time one meets the other's commit, starts anew, and sees what it did. A writer whose files were removed
 * cannot commit the ledger any more, because the fence took its version. Readers read the ledger first: what it names is then in the
 * other tables.
 */
export class ColdCatalog {
  readonly #logs: Readonly<Record<TableName, DeltaLog>>;
  readonly #reader: ColdReader;
  readonly #common: Common;
  #view: ColdView = emptyView();
  #refreshing: Promise<ColdView> | null = null;

  constructor(parts: {
    readonly logs: Readonly<Record<TableName, DeltaLog>>;
    readonly reader: ColdReader;
    readonly common: Common;
  }) {
    this.#logs = parts.logs;
    this.#reader = parts.reader;
    this.#common = parts.common;
  }

  /** The newest state known. */
  get view(): ColdView {
    return this.#view;
  }

  /** Reads what is new in the logs: three requests when nothing is. Calls at the same time share them. */
  refresh(): Promise<ColdView> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  /**
   * Makes a flush part of the namespace, on top of `base`; torn files of others vanish.
   * @throws DeltaConflictError when someone else committed since; nothing of the flush will ever be seen. Refresh first.
   */
  async commit(base: ColdView, flush: PreparedFlush, operation: string): Promise<ColdView> {
    const nowMs = this.#common.clock.nowMs();
    const opened = await this.#open(base);
    if (base.torn.length > 0) opened.ledger = await this.#fence(opened.ledger, nowMs);
    const actionsOf = (table: TableName): Action[] => [
      ...base.torn.filter((torn) => torn.table === table).map(({ file }) => removeOf(file.add, nowMs, true)),
      ...flush.files[table].map(({ add }) => ({ add })),
      ...headTransactions(flush.head, nowMs),
    ];
    const commit = (table: TableName) => this.#logs[table].commit(opened[table], actionsOf(table), { operation });
    // one after the other: whoever wins the first wins all, unless it is taken for dead
    const messages = await commit('messages');
    const results = await commit('verifier_results');
    const ledger = await commit('ledger');
    return await this.#adopt({ messages, verifier_results: results, ledger }, flush.overlayKeys, nowMs);
  }

  async #open(base: ColdView): Promise<Record<TableName, DeltaSnapshot>> {
    const open = async (table: TableName) => {
      const known = base.snapshots[table];
      if (known) return known;
      const opened = await this.#logs[table].open(COLUMNS[table]);
      // someone else has created it since, and written to it: `base` knows nothing of that
      if (opened.version > 0) throw new DeltaConflictError(table, opened.version);
      return opened;
    };
    const [messages, results, ledger] = await allOf([open('messages'), open('verifier_results'), open('ledger')]);
    return { messages, verifier_results: results, ledger };
  }

  /** From here on nobody who prepared a flush before can commit it. */
  async #fence(ledger: DeltaSnapshot, nowMs: number): Promise<DeltaSnapshot> {
    const version = BigInt(ledger.version + 1);
    const txn = { appId: FENCE_APP, version, lastUpdated: nowMs };
    return await this.#logs.ledger.commit(ledger, [{ txn }], { operation: 'FENCE' });
  }

  async #refresh(): Promise<ColdView> {
    const { snapshots } = this.#view;
    const readMs = this.#common.clock.nowMs();
    let ledger = await this.#newest('ledger', snapshots.ledger);
    let { messages, verifier_results: results } = snapshots;
    for (;;) {
      [messages, results] = await allOf([
        this.#newest('messages', messages),
        this.#newest('verifier_results', results),
      ]);
      const { position } = headOf(ledger);
      if (!goesBeyond(messages, position) && !goesBeyond(results, position)) break;
      const again = await this.#newest('ledger', ledger);
      const stands = again?.version === ledger?.version;
      ledger = again;
      if (stands) break;
    }
    return await this.#adopt({ messages, verifier_results: results, ledger }, new Map(), readMs);
  }

  async #newest(table: TableName, known: DeltaSnapshot | null): Promise<DeltaSnapshot | null> {
    return known ? await this.#logs[table].refresh(known) : await this.#logs[table].read();
  }

  async #adopt(
    snapshots: Readonly<Record<TableName, DeltaSnapshot | null>>,
    keys: ReadonlyMap<string, readonly RowKey[]>,
    readMs: number,
  ): Promise<ColdView> {
    const before = this.#view;
    const head = headOf(snapshots.ledger);
    // a refresh that was overtaken by a commit of this instance brings nothing new
    if (!isNewer(snapshots, before.snapshots)) return before;
    const unchanged = TABLE_NAMES.every((table) => snapshots[table]?.version === before.snapshots[table]?.version);
    const split = {
      messages: this.#split('messages', snapshots, head.position),
      verifier_results: this.#split('verifier_results', snapshots, head.position),
      ledger: this.#split('ledger', snapshots, head.position),
    };
    const [messages, results] = await allOf([
      this.#tableView(MESSAGE_TABLE, split.messages.committed, keys),
      this.#tableView(RESULT_TABLE, split.verifier_results.committed, keys),
    ]);
    const ledger: TableView = { ...before.tables.ledger, files: split.ledger.committed };
    const view: ColdView = {
      ...head,
      snapshots,
      tables: unchanged ? before.tables : { messages, verifier_results: results, ledger },
      torn: TABLE_NAMES.flatMap((table) => split[table].torn.map((file) => ({ table, file }))),
      readMs,
    };
    // another call may have come further while keys were read
    if (isNewer(snapshots, this.#view.snapshots)) this.#view = view;
    return this.#view;
  }

  #split(table: TableName, snapshots: ColdView['snapshots'], position: bigint) {
    const known = new Map<string, ColdFile>();
    for (const file of this.#view.tables[table].files) known.set(file.uri, file);
    for (const torn of this.#view.torn) if (torn.table === table) known.set(torn.file.uri, torn.file);
    return splitFiles(snapshots[table], position, (uri) => known.get(uri));
  }

  async #tableView(
    list: typeof MESSAGE_TABLE | typeof RESULT_TABLE,
    files: readonly ColdFile[],
    keys: ReadonlyMap<string, readonly RowKey[]>,
  ): Promise<TableView> {
    const { table } = list;
    const overlayFiles = files.filter((file) => file.overlay);
    const present = new Set(overlayFiles.map(({ uri }) => uri));
    const before = this.#view.tables[table].overlay;
    // what was compacted away supersedes nothing any more; a view that still has it keeps the overlay it has
    const overlay = [...before.files].every((uri) => present.has(uri)) ? before : new Overlay();
    await allOf(
      overlayFiles
        .filter(({ uri }) => !overlay.hasFile(uri))
        .map(async (file) => overlay.addFile(file.uri, keys.get(file.uri) ?? (await this.#keys(list, file)))),
    );
    return { table, files, overlay };
  }

  async #keys(list: typeof MESSAGE_TABLE | typeof RESULT_TABLE, file: ColdFile): Promise<readonly RowKey[]> {
    const { groups } = await this.#reader.footer(list.table, file);
    const all = Array.from({ length: groups }, (_, group) => group);
    const keys =
      list.table === 'messages'
        ? await this.#reader.keys(MESSAGE_TABLE, file, all)
        : await this.#reader.keys(RESULT_TABLE, file, all);
    return keys.flat();
  }
}

function goesBeyond(snapshot: DeltaSnapshot | null, position: bigint): boolean {
  return splitFiles(snapshot, position, () => undefined).torn.length > 0;
}

function isNewer(snapshots: ColdView['snapshots'], before: ColdView['snapshots']): boolean {
  const versionOf = (snapshot: DeltaSnapshot | null) => snapshot?.version ?? -1;
  return TABLE_NAMES.every((table) => versionOf(snapshots[table]) >= versionOf(before[table]));
}

/** Waits for all, also when one fails: what goes on unwatched could take effect after its failure was handled. */
async function allOf<T extends readonly Promise<unknown>[]>(
  promises: readonly [...T],
): Promise<{ -readonly [I in keyof T]: Awaited<T[I]> }> {
  await Promise.allSettled(promises);
  return (await Promise.all(promises)) as { -readonly [I in keyof T]: Awaited<T[I]> };
}
