import type { Hex } from '../../../core/hex.js';
import { mapInParallel } from '../../../core/parallel.js';
import type { ResultsPart } from '../../../model/outlines.js';
import { isWanted, partOfResults } from '../../../model/outlines.js';
import type { StoredMessage, StoredVerifierResult } from '../../../model/records.js';
import { hashId } from '../id-index/hash.js';
import type { DataFile } from '../namespace/data-file.js';
import type { DataFileReader } from '../namespace/file-reader.js';
import { type ListTable, MESSAGE_TABLE, type NamespaceView, RESULT_TABLE } from '../namespace/view.js';
import type { RowKey } from '../rows/row-kind.js';
import type { FoundRow } from './file-cursor.js';
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
 * other files cost nothing. A message in the overlay leads to its last row alone.
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
    const { files, overlay } = view.tables.messages;
    const position = overlay.positionOfMessage(messageId, view.position);
    const candidates =
      position === undefined
        ? files
        : files.filter(({ minPosition, maxPosition }) => minPosition <= position && position <= maxPosition);
    return (await this.#find(MESSAGE_TABLE, view, candidates, messageId))[0] ?? null;
  }

  /** Ordered by verifier source and destination address. */
  async results(view: NamespaceView, messageId: Hex, part?: ResultsPart): Promise<readonly StoredVerifierResult[]> {
    const { files } = view.tables.verifier_results;
    const places = await this.#places(RESULT_TABLE, files, messageId);
    const sizeBytes = places.reduce((sum, place) => sum + place.sizeBytes, 0);
    if (part === undefined || sizeBytes <= AT_ONCE_BYTES)
      return partOfResults((await this.#records(RESULT_TABLE, view, places, messageId)).sort(compareResults), part);
    const rows = (await this.#rows(RESULT_TABLE, view, places, messageId)).filter(({ key }) => isWanted(key, part));
    const inOrder = rows.sort((a, b) => compareResults(a.key, b.key));
    const maxBytes = 'maxBytes' in part ? part.maxBytes : Number.POSITIVE_INFINITY;
    return await this.#lists.recordsWithin(RESULT_TABLE, inOrder, maxBytes);
  }

  async #find<T extends { readonly messageId: Hex }, K extends RowKey>(
    list: ListTable<T, K>,
    view: NamespaceView,
    files: readonly DataFile[],
    messageId: Hex,
  ): Promise<T[]> {
    return await this.#records(list, view, await this.#places(list, files, messageId), messageId);
  }

  /** The row groups that may have an id, by file, and how large they are. */
  async #places<T, K extends RowKey>(
    list: ListTable<T, K>,
    files: readonly DataFile[],
    messageId: Hex,
  ): Promise<readonly Place[]> {
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

  async #records<T extends { readonly messageId: Hex }, K extends RowKey>(
    list: ListTable<T, K>,
    view: NamespaceView,
    places: readonly Place[],
    messageId: Hex,
  ): Promise<T[]> {
    const { overlay } = view.tables[list.table];
    const found = await mapInParallel(places, PARALLEL_FILES, async ({ file, groups }) => {
      const records = groups.length > 0 ? await this.#reader.records(list, file, groups) : [];
      return records
        .flat()
        .filter(
          (record) => record.messageId === messageId && !overlay.supersedes(list.rows.keyOf(record), view.position),
        );
    });
    return found.flat();
  }

  /** The places of an id's records. */
  async #rows<T, K extends RowKey>(
    list: ListTable<T, K>,
    view: NamespaceView,
    places: readonly Place[],
    messageId: Hex,
  ): Promise<FoundRow<T, K>[]> {
    const { overlay } = view.tables[list.table];
    const found = await mapInParallel(places, PARALLEL_FILES, async ({ file, groups }) => {
      const keys = groups.length > 0 ? await this.#reader.keys(list, file, groups) : [];
      return keys.flatMap((inGroup, index) =>
        inGroup.flatMap((key, row) =>
          key.messageId === messageId && !overlay.supersedes(key, view.position)
            ? [{ key, file, group: groups[index] ?? 0, row, record: null }]
            : [],
        ),
      );
    });
    return found.flat();
  }
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
