import type { Hex } from '../../../core/hex.js';
import { mapInParallel } from '../../../core/parallel.js';
import { inLogOrder, type TransactionRecords } from '../../../model/held.js';
import { comparePlaces } from '../../../model/order.js';
import type { ResultsPart } from '../../../model/outlines.js';
import { isWanted, partOfResults } from '../../../model/outlines.js';
import type { StoredExecution, StoredMessage, StoredVerifierResult } from '../../../model/records.js';
import { hashId } from '../id-index/hash.js';
import type { DataFile } from '../namespace/data-file.js';
import type { DataFileReader, TableRows } from '../namespace/file-reader.js';
import {
  EXECUTION_TABLE,
  type ListTable,
  MESSAGE_TABLE,
  RESULT_TABLE,
  type RecordTable,
} from '../namespace/record-tables.js';
import type { NamespaceView } from '../namespace/view.js';
import { indexTerm } from '../rows/index-terms.js';
import { LEDGER_ROWS, type LedgerEntry } from '../rows/ledger.js';
import type { RecordChange } from '../rows/orphan-return.js';
import type { RecordKey, RowKey } from '../rows/row-kind.js';
import type { FoundRow } from './file-cursor.js';
import { LEDGER_TABLE } from './ledger-reads.js';
import type { Lists } from './lists.js';

const PARALLEL_FILES = 8;
const PARALLEL_FILTERS = 32;
/** Row groups of more compressed bytes than this are read one after the other, as far as they are wanted. */
const AT_ONCE_BYTES = 1 << 20;

/** The records of one message id. */
export interface KnownRecords {
  readonly message: StoredMessage | null;
  /** Ordered by verifier source and destination address. */
  readonly results: readonly StoredVerifierResult[];
}

/**
 * Lookups by message id. The filters in memory say which files may have the id, their indexes which row groups: all
 * other files cost nothing. An id that is in no list may be orphaned: then the ledger has its records.
 */
export class Lookup {
  readonly #reader: DataFileReader;
  readonly #lists: Lists;

  constructor(reader: DataFileReader, lists: Lists) {
    this.#reader = reader;
    this.#lists = lists;
  }

  async known(view: NamespaceView, messageId: Hex): Promise<KnownRecords> {
    const [message, results] = await Promise.all([this.message(view, messageId), this.results(view, messageId)]);
    return { message, results };
  }

  /** A message, orphaned or not; null without one. */
  async message(view: NamespaceView, messageId: Hex): Promise<StoredMessage | null> {
    const { files } = view.tables.messages;
    const [listed] = await this.#records(MESSAGE_TABLE, await this.#places(MESSAGE_TABLE, files, messageId), messageId);
    if (listed) return listed;
    for (const { kind, record } of await this.#orphans(view, messageId)) if (kind === 'message') return record;
    return null;
  }

  /** Ordered by verifier source and destination address. */
  async results(view: NamespaceView, messageId: Hex, part?: ResultsPart): Promise<readonly StoredVerifierResult[]> {
    const { files } = view.tables.verifier_results;
    const places = await this.#places(RESULT_TABLE, files, messageId);
    const orphans = await this.#orphans(view, messageId);
    const orphaned = orphans.flatMap((change) => (change.kind === 'verifierResult' ? [change.record] : []));
    const sizeBytes = places.reduce((sum, place) => sum + place.sizeBytes, 0);
    if (part === undefined || sizeBytes <= AT_ONCE_BYTES || orphaned.length > 0) {
      const listed = await this.#records(RESULT_TABLE, places, messageId);
      return partOfResults([...listed, ...orphaned].sort(compareResults), part);
    }
    const rows = (await this.#rows(RESULT_TABLE, places, messageId)).filter(({ key }) => isWanted(key, part));
    const inOrder = rows.sort((a, b) => compareResults(a.key, b.key));
    const maxBytes = 'maxBytes' in part ? part.maxBytes : Number.POSITIVE_INFINITY;
    return await this.#lists.recordsWithin(RESULT_TABLE, inOrder, maxBytes);
  }

  /** The executions of a message, orphaned or not, in the order of its destination chain. */
  async executions(view: NamespaceView, messageId: Hex): Promise<readonly StoredExecution[]> {
    const places = await this.#places(EXECUTION_TABLE, view.tables.executions.files, messageId);
    const listed = await this.#records(EXECUTION_TABLE, places, messageId);
    const orphans = await this.#orphans(view, messageId);
    const orphaned = orphans.flatMap((change) => (change.kind === 'execution' ? [change.record] : []));
    return [...listed, ...orphaned].sort(comparePlaces);
  }

  /** The records of a transaction, orphaned or not. A file of which only the column tells them is read for it. */
  async transaction(view: NamespaceView, hash: Hex): Promise<TransactionRecords> {
    const messages = await this.#ofTransaction(MESSAGE_TABLE, view.tables.messages.files, hash);
    const executions = await this.#ofTransaction(EXECUTION_TABLE, view.tables.executions.files, hash);
    const removed = await this.#ofTransaction(LEDGER_TABLE, view.tables.ledger.files, hash);
    const ids = new Set(removed.flatMap((entry) => (isOrphan(entry) ? [entry.record.messageId] : [])));
    const term = indexTerm('transaction', hash);
    // the last of each identity counts, of whichever transaction it is
    const orphans = (await mapInParallel([...ids], PARALLEL_FILES, (id) => this.#orphans(view, id))).flat();
    for (const orphan of orphans) {
      if (!LEDGER_ROWS.termsOf(orphan, LEDGER_ROWS.keyOf(orphan)).includes(term)) continue;
      if (orphan.kind === 'message') messages.push(orphan.record);
      if (orphan.kind === 'execution') executions.push(orphan.record);
    }
    return inLogOrder({ messages, executions });
  }

  async #ofTransaction<T, K>(list: TableRows<T, K>, files: readonly DataFile[], hash: Hex): Promise<T[]> {
    const term = indexTerm('transaction', hash);
    const found = await mapInParallel(files, PARALLEL_FILES, async (file) => {
      const groups = await this.#reader.groupsOfTransaction(list.table, file, hash);
      const records = groups.length > 0 ? await this.#reader.records(list, file, groups) : [];
      return records.flat().filter((record) => list.rows.termsOf(record, list.rows.keyOf(record)).includes(term));
    });
    return found.flat();
  }

  /** The records of an id that are orphaned: of those in the ledger the last of each, unless that is a return. */
  async #orphans(view: NamespaceView, messageId: Hex): Promise<readonly RecordChange[]> {
    const places = await this.#places(LEDGER_TABLE, view.tables.ledger.files, messageId);
    const last = new Map<string, LedgerEntry>();
    for (const { file, groups } of places) {
      if (groups.length === 0) continue;
      for (const entry of (await this.#reader.records(LEDGER_TABLE, file, groups)).flat()) {
        const { orphanId, identity, position } = LEDGER_ROWS.keyOf(entry);
        if (orphanId === messageId && position > (last.get(identity)?.position ?? 0n)) last.set(identity, entry);
      }
    }
    return [...last.values()].filter(isOrphan);
  }

  /** The row groups that may have an id, by file, and how large they are. */
  async #places<T, K>(list: TableRows<T, K>, files: readonly DataFile[], messageId: Hex): Promise<readonly Place[]> {
    const hash = hashId(messageId);
    // none of the filters is held longer than it is asked: all of them may be more than the caches take
    const isHit = await mapInParallel(files, PARALLEL_FILTERS, async (file) =>
      (await this.#reader.filter(list.table, file))(hash),
    );
    const hits = files.filter((_, index) => isHit[index]);
    return await mapInParallel(hits, PARALLEL_FILES, async (file) => {
      const groups = await this.#reader.groupsOf(list.table, file, messageId);
      if (groups.length === 0) return { file, groups, sizeBytes: 0 };
      const footer = await this.#reader.footer(list.table, file);
      const ranges = groups.map((group) => footer.groupRange(group));
      return { file, groups, sizeBytes: ranges.reduce((sum, range) => sum + range.endExclusive - range.start, 0) };
    });
  }

  async #records<T extends { readonly messageId: Hex }, K extends RecordKey>(
    list: RecordTable<T, K>,
    places: readonly Place[],
    messageId: Hex,
  ): Promise<T[]> {
    const found = await mapInParallel(places, PARALLEL_FILES, ({ file, groups }) =>
      groups.length > 0 ? this.#reader.recordsOf(list, file, groups, messageId) : Promise.resolve([]),
    );
    return found.flat();
  }

  /** The places of an id's records. */
  async #rows<T, K extends RowKey>(
    list: ListTable<T, K>,
    places: readonly Place[],
    messageId: Hex,
  ): Promise<FoundRow<T, K>[]> {
    const found = await mapInParallel(places, PARALLEL_FILES, async ({ file, groups }) => {
      const keys = groups.length > 0 ? await this.#reader.keys(list, file, groups) : [];
      return keys.flatMap((inGroup, index) =>
        inGroup.flatMap((key, row) =>
          key.messageId === messageId ? [{ key, file, group: groups[index] ?? 0, row, record: null }] : [],
        ),
      );
    });
    return found.flat();
  }
}

/** True for rows of the ledger that are of an orphaned record, not of its return. */
function isOrphan(entry: LedgerEntry): entry is RecordChange {
  return entry.kind === 'message' || entry.kind === 'verifierResult' || entry.kind === 'execution';
}

/** The row groups of a file that may hold an id. */
interface Place {
  readonly file: DataFile;
  readonly groups: readonly number[];
  /** The compressed size of the row groups. */
  readonly sizeBytes: number;
}

type ResultIdentity = Pick<StoredVerifierResult, 'verifierSourceAddress' | 'verifierDestAddress'>;

function compareResults(a: ResultIdentity, b: ResultIdentity): number {
  return (
    compareText(a.verifierSourceAddress, b.verifierSourceAddress) ||
    compareText(a.verifierDestAddress, b.verifierDestAddress)
  );
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
