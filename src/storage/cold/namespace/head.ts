import type { Transaction } from '../delta/actions.js';
import { DeltaUnsupportedError } from '../delta/delta-errors.js';
import type { DeltaSnapshot } from '../delta/snapshot.js';
import { byNamedTable, NAMED_TABLES, type NamedTable } from '../rows/table-name.js';

/** The state of a namespace as the ledger's transactions tell it. */
export interface NamespaceHead {
  /** Every change up to this position is committed; 0 = nothing is. */
  readonly position: bigint;
  /** Ingestion time of the last commit that is in here; -1 = none. */
  readonly headMs: number;
  /** The highest position that the leader is known to have had. */
  readonly headPosition: bigint;
  readonly movePosition: bigint;
}

/** The versions of the other tables that belong to a version of the ledger; -1 for a table that it does not name. */
export type NamedVersions = Readonly<Record<NamedTable, number>>;

/**
 * The format of a namespace: 1 had superseded rows, and no named versions; 2 had no executions, and no column that is
 * `added`. One of 2 is read as it is, and is of 3 from its next commit with rows on: programs of before refuse it.
 */
const FORMAT = 3n;
const FORMAT_WITHOUT_EXECUTIONS = 2n;

/** Applications under which the ledger says how far it has come. The first is the one others are told of. */
const HEAD_APPS = {
  position: 'ccv-indexer',
  headMs: 'ccv-indexer:headMs',
  headPosition: 'ccv-indexer:headPosition',
  movePosition: 'ccv-indexer:movePosition',
} as const;
const FORMAT_APP = 'ccv-indexer:format';
const VACUUM_APP = 'ccv-indexer:vacuum';
/** While a backlog is flushed in parts: the version of the ledger before the first of them. */
const WHOLE_APP = 'ccv-indexer:whole';
const ROWS_APPS: Readonly<Record<NamedTable, string>> = {
  messages: 'ccv-indexer:rows:messages',
  verifier_results: 'ccv-indexer:rows:results',
  executions: 'ccv-indexer:rows:executions',
};
const NAME_APPS = byNamedTable((table) => `ccv-indexer:${table}`);

/** True for transactions that name versions: they change without a flush. */
export function isNameApp(appId: string): boolean {
  return NAMED_TABLES.some((table) => NAME_APPS[table] === appId);
}

/** The transactions that say how far a flush went. */
function headTransactions(head: NamespaceHead, lastUpdated: number): Transaction[] {
  const entries = [
    [HEAD_APPS.position, head.position],
    [HEAD_APPS.headMs, BigInt(head.headMs)],
    [HEAD_APPS.headPosition, head.headPosition],
    [HEAD_APPS.movePosition, head.movePosition],
  ] as const;
  return entries.map(([appId, version]) => ({ appId, version, lastUpdated }));
}

/** The transactions that name versions. */
export function nameTransactions(named: NamedVersions, lastUpdated: number): Transaction[] {
  return NAMED_TABLES.filter((table) => named[table] >= 0).map((table) => ({
    ...{ appId: NAME_APPS[table], version: BigInt(named[table]), lastUpdated },
  }));
}

/** The transactions that count the rows of the tables: files that something else has removed are missed by them. */
function rowTransactions(rows: Readonly<Record<NamedTable, number>>, lastUpdated: number): Transaction[] {
  return NAMED_TABLES.map((table) => ({ appId: ROWS_APPS[table], version: BigInt(rows[table]), lastUpdated }));
}

/** The number of rows of a table by the ledger. */
export function rowsByLedger({ transactions }: DeltaSnapshot, table: NamedTable): number {
  return Number(transactions.get(ROWS_APPS[table])?.version ?? -1n);
}

/** The transactions of a new ledger: it names the tables as they were created. */
export function firstTransactions(lastUpdated: number): Transaction[] {
  const format = { appId: FORMAT_APP, version: FORMAT, lastUpdated };
  const none = byNamedTable(() => 0);
  return [format, ...nameTransactions(none, lastUpdated), ...rowTransactions(none, lastUpdated)];
}

/** The transactions after which a ledger is of the present format: it names the tables that came since. */
export function formatTransactions(ledger: DeltaSnapshot, lastUpdated: number): Transaction[] {
  if (formatOf(ledger) === FORMAT) return [];
  return firstTransactions(lastUpdated).filter(({ appId }) => appId === FORMAT_APP || !ledger.transactions.has(appId));
}

/** The head that the ledger's log tells. */
export function headOf(ledger: DeltaSnapshot | null): NamespaceHead {
  const version = (appId: string, none: bigint) => ledger?.transactions.get(appId)?.version ?? none;
  return {
    position: version(HEAD_APPS.position, 0n),
    headMs: Number(version(HEAD_APPS.headMs, -1n)),
    headPosition: version(HEAD_APPS.headPosition, 0n),
    movePosition: version(HEAD_APPS.movePosition, 0n),
  };
}

/** The format of a namespace by its ledger. */
export function formatOf({ transactions }: DeltaSnapshot): bigint {
  return transactions.get(FORMAT_APP)?.version ?? 1n;
}

/** @throws DeltaUnsupportedError for a namespace of another format. */
export function namedVersions(ledger: DeltaSnapshot): NamedVersions {
  const { transactions } = ledger;
  const format = formatOf(ledger);
  if (format !== FORMAT && format !== FORMAT_WITHOUT_EXECUTIONS)
    throw new DeltaUnsupportedError(
      `the namespace is of format ${format}, and this version reads ${FORMAT_WITHOUT_EXECUTIONS} and ${FORMAT}` +
        (format < FORMAT ? ': copy it into a new place with "ccv-indexer storage upgrade"' : ''),
      { details: { format: String(format) } },
    );
  return byNamedTable((table) => Number(transactions.get(NAME_APPS[table])?.version ?? -1n));
}

/** The tables of records that a namespace of the format of its ledger has. */
export function tablesOf(ledger: DeltaSnapshot): readonly NamedTable[] {
  const isWithout = formatOf(ledger) === FORMAT_WITHOUT_EXECUTIONS;
  return isWithout ? NAMED_TABLES.filter((table) => table !== 'executions') : NAMED_TABLES;
}

/**
 * The head of a copy that an upgrade has not ended: it has come to no position, and knows the last one of its source.
 * No flush leaves one like it.
 */
export function unendedHead({ position }: NamespaceHead): NamespaceHead {
  return { position: 0n, headMs: -1, headPosition: position, movePosition: 0n };
}

/** @throws DeltaUnsupportedError for a copy that an upgrade has not ended. */
export function refuseUnended({ position, headPosition }: NamespaceHead): void {
  if (position === 0n && headPosition > 0n)
    throw new DeltaUnsupportedError(
      'the namespace is the copy of an upgrade that has not ended: run "ccv-indexer storage upgrade" again',
    );
}

/** True when nothing that was known to come is missing. */
export function isWhole(head: NamespaceHead): boolean {
  return head.position >= head.headPosition;
}

/** The transactions of a flush on top of `base`. */
export function flushTransactions(
  base: NamespaceHead & { readonly snapshots: { readonly ledger: DeltaSnapshot | null } },
  to: {
    readonly head: NamespaceHead;
    readonly named: NamedVersions;
    readonly rows: Readonly<Record<NamedTable, number>>;
  },
  lastUpdated: number,
): Transaction[] {
  const { ledger } = base.snapshots;
  const isFirstPart = ledger !== null && isWhole(base) && !isWhole(to.head);
  return [
    ...headTransactions(to.head, lastUpdated),
    ...nameTransactions(to.named, lastUpdated),
    ...rowTransactions(to.rows, lastUpdated),
    ...(isFirstPart ? [{ appId: WHOLE_APP, version: BigInt(ledger.version), lastUpdated }] : []),
  ];
}

/** The version of the ledger that was whole last, by one that is not; null without one. */
export function wholeVersion({ transactions }: DeltaSnapshot): number | null {
  const version = transactions.get(WHOLE_APP)?.version;
  return version === undefined ? null : Number(version);
}

/** The last vacuum of a table that made writers begin anew. */
export function vacuumOf(snapshot: DeltaSnapshot | null): bigint | undefined {
  return snapshot?.transactions.get(VACUUM_APP)?.version;
}

export function vacuumTransaction({ version }: DeltaSnapshot, lastUpdated: number): Transaction {
  return { appId: VACUUM_APP, version: BigInt(version + 1), lastUpdated };
}
