import type { Common } from '../../../core/common.js';
import { IndexerError } from '../../../core/errors.js';
import { DeltaConflictError, DeltaFormatError } from '../delta/delta-errors.js';
import type { DeltaLog } from '../delta/delta-log.js';
import type { DeltaSnapshot } from '../delta/snapshot.js';
import { TABLE_COLUMNS } from '../rows/table-columns.js';
import { byTable, NAMED_TABLES, type NamedTable, ofNamedTables, type TableName } from '../rows/table-name.js';
import { firstTransactions, formatTransactions, type NamedVersions, namedVersions, wholeVersion } from './head.js';
import { commitBesideCompactions } from './rebased-commit.js';
import { ABSENT, mismatchesOf } from './table-mismatch.js';
import { isDirty } from './unnamed.js';
import type { Snapshots } from './view.js';

const NOTHING: Snapshots = byTable(() => null);
/** Looks at tables that a flush seems to be in the middle of, while flushes go on. */
const MAX_LOOKS = 8;

/** Reads the logs of the tables as one: the ledger's last version names those of the others. */
export class NamespaceLog {
  readonly #logs: Readonly<Record<TableName, DeltaLog>>;
  readonly #common: Common;
  readonly #isEmpty: () => Promise<boolean>;

  /** @param parts `isEmpty`: true when nothing is stored under the namespace; one request. */
  constructor(parts: {
    readonly logs: Readonly<Record<TableName, DeltaLog>>;
    readonly common: Common;
    readonly isEmpty: () => Promise<boolean>;
  }) {
    this.#logs = parts.logs;
    this.#common = parts.common;
    this.#isEmpty = parts.isEmpty;
  }

  /**
   * The tables as they are named now. One request when nothing is new. `confirm`: checks that the commits read before
   * are still there.
   * @throws DeltaLostError, DeltaFormatError, DeltaUnsupportedError
   */
  async named(known: Snapshots, confirm: boolean): Promise<Snapshots> {
    const ledger = known.ledger
      ? await this.#logs.ledger.refresh(known.ledger, { confirm })
      : await this.#logs.ledger.read();
    if (ledger === null) return await this.#uncreated();
    // the same ledger names the same versions
    if (!confirm && known.ledger?.version === ledger.version) return { ...known, ledger };
    return await this.asNamed({ ...known, ledger }, confirm);
  }

  /** The tables as a ledger names them. */
  async asNamed({ ledger, ...known }: Snapshots, confirm = false): Promise<Snapshots> {
    if (ledger === null) return NOTHING;
    const versions = namedVersions(ledger);
    const found = { ...(await ofNamedTables((table) => this.#at(table, known[table], versions, confirm))), ledger };
    const [mismatch] = mismatchesOf(found, null);
    if (mismatch) throw new DeltaFormatError(`${mismatch.table}: ${mismatch.what}`);
    return found;
  }

  /** The tables as they were before a backlog that is flushed in parts; null when its commits are gone. */
  async lastWhole({ ledger }: Snapshots): Promise<Snapshots | null> {
    const version = ledger && wholeVersion(ledger);
    if (version === null) return null;
    try {
      return await this.asNamed({ ...NOTHING, ledger: await this.#logs.ledger.read(version) });
    } catch (thrown) {
      if (thrown instanceof IndexerError && thrown.retryable) throw thrown;
      this.#common.log.warn({ err: thrown, version }, 'the state before a backlog can no longer be read');
      return null;
    }
  }

  /**
   * The tables as they are named, and as they are in the store.
   * @throws the same
   */
  async surveyed(known: Snapshots): Promise<{ readonly named: Snapshots; readonly tops: Snapshots }> {
    let named = await this.named(known, true);
    for (let look = 1; ; look += 1) {
      const known = named;
      const tops = { ...(await ofNamedTables((table) => this.#newest(table, known[table]))), ledger: named.ledger };
      const isClean = NAMED_TABLES.every((table) => {
        const [one, other] = [named[table], tops[table]];
        return one === null || other === null || !isDirty(one, other);
      });
      if (isClean) return { named, tops };
      const again = await this.named(named, false);
      // the flush may have ended meanwhile
      if (again.ledger?.version !== named.ledger?.version && look < MAX_LOOKS) {
        named = again;
        continue;
      }
      const [mismatch] = mismatchesOf(again, tops);
      if (mismatch) throw new DeltaFormatError(`${mismatch.table}: ${mismatch.what}`);
      return { named: again, tops };
    }
  }

  /**
   * The tables to commit to; those that do not exist are created, the ledger last. A ledger of an older format comes to
   * name the tables that it did not.
   * @throws DeltaConflictError
   */
  async opened(known: Snapshots): Promise<Readonly<Record<TableName, DeltaSnapshot>>> {
    const open = async (table: TableName) => {
      const snapshot = known[table];
      if (snapshot) return snapshot;
      const first = table === 'ledger' ? firstTransactions(this.#common.clock.nowMs()) : [];
      const log = this.#logs[table];
      // without a ledger the look at the logs found no table
      const opened = await (known.ledger === null ? log.create : log.open).call(log, TABLE_COLUMNS[table], first);
      if (opened.version === 0) return opened;
      const { ledger } = known;
      if (ledger && (await this.#logs.ledger.refresh(ledger)).version === ledger.version)
        throw new DeltaFormatError(`${table}: it was written to, and the ledger does not name it`);
      // another writer has created it since, and written to it
      throw new DeltaConflictError(table, opened.version);
    };
    const tables = await ofNamedTables(open);
    const ledger = await open('ledger');
    const nowMs = this.#common.clock.nowMs();
    const renewal = (base: DeltaSnapshot) => formatTransactions(base, nowMs).map((txn) => ({ txn }));
    if (renewal(ledger).length === 0) return { ...tables, ledger };
    const renewed = await commitBesideCompactions(this.#logs.ledger, ledger, renewal, { operation: 'UPGRADE' });
    return { ...tables, ledger: renewed };
  }

  /** Without a ledger there is no namespace; a table that was written to says that there was one. */
  async #uncreated(): Promise<Snapshots> {
    if (await this.#isEmpty()) return NOTHING;
    const tables = await ofNamedTables(async (table) => await this.#logs[table].read());
    const isWritten = Object.values(tables).some((table) => table !== null && table.version > 0);
    if (!isWritten) return NOTHING;
    const ledger = await this.#logs.ledger.read();
    if (ledger) return await this.asNamed({ ...NOTHING, ledger });
    throw new DeltaFormatError(`ledger: ${ABSENT}`);
  }

  async #at(table: NamedTable, known: DeltaSnapshot | null, versions: NamedVersions, confirm: boolean) {
    const upTo = versions[table];
    if (upTo < 0) return null;
    return known ? await this.#logs[table].refresh(known, { upTo, confirm }) : await this.#logs[table].read(upTo);
  }

  async #newest(table: NamedTable, known: DeltaSnapshot | null): Promise<DeltaSnapshot | null> {
    return known && (await this.#logs[table].refresh(known));
  }
}
