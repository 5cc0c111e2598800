import type { AsOf } from '../../../model/coverage.js';
import { outlineOfMessage, outlineOfResult } from '../../../model/outlines.js';
import type { StoredMessage, StoredVerifierResult } from '../../../model/records.js';
import type { DeltaSnapshot } from '../delta/snapshot.js';
import { MESSAGE_ROWS } from '../rows/messages.js';
import type { MessageRowKey, RowKey, RowKind } from '../rows/row-kind.js';
import type { TableName } from '../rows/table-name.js';
import { VERIFIER_RESULT_ROWS } from '../rows/verifier-results.js';
import { type DataFile, readFileEntry } from './data-file.js';
import { Overlay } from './overlay.js';

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

/** The committed files of one table, and the overlay of superseding rows. */
export interface TableView {
  readonly table: TableName;
  readonly files: readonly DataFile[];
  readonly overlay: Overlay;
}

/** The whole namespace as of one flush. Immutable: a query holds one from beginning to end. */
export interface NamespaceView extends NamespaceHead {
  readonly snapshots: Readonly<Record<TableName, DeltaSnapshot | null>>;
  readonly tables: Readonly<Record<TableName, TableView>>;
  /** Files of flushes that were never committed, or not yet. */
  readonly torn: readonly { readonly table: TableName; readonly file: DataFile }[];
  /** Time of the last look at the store, unix ms; -1 = never. */
  readonly readMs: number;
}

/** A list of one kind: its table and how its rows are read. */
export interface ListTable<T, K extends RowKey> {
  readonly table: TableName;
  readonly rows: RowKind<T, K>;
  /** The outline of a record, from its key alone. */
  outlineOf(key: K): T;
}

export const MESSAGE_TABLE: ListTable<StoredMessage, MessageRowKey> = {
  table: 'messages',
  rows: MESSAGE_ROWS,
  outlineOf: ({ messageId, ingestionMs, position, firstMs, orphaned, status }) =>
    outlineOfMessage({ messageId, ingestionMs, position, firstMs, orphaned, status, origin: null }),
};
export const RESULT_TABLE: ListTable<StoredVerifierResult, RowKey> = {
  table: 'verifier_results',
  rows: VERIFIER_RESULT_ROWS,
  outlineOf: ({ messageId, verifierSourceAddress, verifierDestAddress, ingestionMs, position, firstMs, orphaned }) =>
    outlineOfResult({
      ...{ messageId, verifierSourceAddress, verifierDestAddress },
      ...{ ingestionMs, position, firstMs, orphaned },
    }),
};

/** Applications under which a table's log says how far it has come. The first is the one others are told of. */
const APP = {
  position: 'ccv-indexer',
  headMs: 'ccv-indexer:headMs',
  headPosition: 'ccv-indexer:headPosition',
  movePosition: 'ccv-indexer:movePosition',
} as const;

/** The transactions that say how far a flush went. */
export function headTransactions(head: NamespaceHead, lastUpdated: number) {
  const entries = [
    [APP.position, head.position],
    [APP.headMs, BigInt(head.headMs)],
    [APP.headPosition, head.headPosition],
    [APP.movePosition, head.movePosition],
  ] as const;
  return entries.map(([appId, version]) => ({ txn: { appId, version, lastUpdated } }));
}

/** The view of an empty namespace. */
export function emptyView(): NamespaceView {
  const table = (name: TableName): TableView => ({ table: name, files: [], overlay: new Overlay() });
  return {
    position: 0n,
    headMs: -1,
    headPosition: 0n,
    movePosition: 0n,
    snapshots: { messages: null, verifier_results: null, ledger: null },
    tables: { messages: table('messages'), verifier_results: table('verifier_results'), ledger: table('ledger') },
    torn: [],
    readMs: -1,
  };
}

/** The head that the ledger's log tells. */
export function headOf(ledger: DeltaSnapshot | null): NamespaceHead {
  const version = (appId: string, none: bigint) => ledger?.transactions.get(appId)?.version ?? none;
  return {
    position: version(APP.position, 0n),
    headMs: Number(version(APP.headMs, -1n)),
    headPosition: version(APP.headPosition, 0n),
    movePosition: version(APP.movePosition, 0n),
  };
}

/** True when nothing that was known to come is missing. */
export function isWhole(head: NamespaceHead): boolean {
  return head.position >= head.headPosition;
}

/** The files of a snapshot: those of the namespace at `position`, and those of flushes beyond it. */
export function splitFiles(
  snapshot: DeltaSnapshot | null,
  position: bigint,
): { readonly committed: DataFile[]; readonly torn: DataFile[] } {
  const committed: DataFile[] = [];
  const torn: DataFile[] = [];
  for (const add of snapshot?.files.values() ?? []) {
    const file = readFileEntry(add);
    (file.flushThrough <= position ? committed : torn).push(file);
  }
  return { committed, torn };
}

/** The highest ingestion time of any row of a table; -1 without any. */
export function ceilingMs({ files }: TableView): number {
  return files.reduce((highest, { maxMs }) => Math.max(highest, maxMs), -1);
}

export function asOf({ position, movePosition }: NamespaceHead): AsOf {
  return { position, movePosition };
}

/** The newer snapshot of each table. */
export function newestOf(a: NamespaceView['snapshots'], b: NamespaceView['snapshots']): NamespaceView['snapshots'] {
  const newer = (one: DeltaSnapshot | null, other: DeltaSnapshot | null) =>
    (one?.version ?? -1) >= (other?.version ?? -1) ? one : other;
  return {
    messages: newer(a.messages, b.messages),
    verifier_results: newer(a.verifier_results, b.verifier_results),
    ledger: newer(a.ledger, b.ledger),
  };
}
