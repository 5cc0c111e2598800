import type { Hex } from '../../core/hex.js';
import type { StoredMessage, StoredVerifierResult } from '../records.js';
import type { ColdFile } from './cold-layout.js';
import { mapInParallel } from './cold-parallel.js';
import type { ColdReader } from './cold-reader.js';
import type { RowKey } from './cold-rows-kind.js';
import { type ColdView, type ListTable, MESSAGE_TABLE, RESULT_TABLE } from './cold-view.js';
import { hashId } from './id-index-hash.js';

const PARALLEL_FILES = 8;
const PARALLEL_FILTERS = 32;

/** What a namespace knows of one message id. */
export interface KnownRecords {
  readonly message: StoredMessage | null;
  /** Ordered by verifier source and destination address. */
  readonly results: readonly StoredVerifierResult[];
}

/**
 * Lookups by message id. The filters in memory say which files may have the id, their indexes which row groups: all other
 * files cost nothing. What the overlay knows of a message leads to its last row alone.
 */
export class ColdLookup {
  readonly #reader: ColdReader;

  constructor(reader: ColdReader) {
    this.#reader = reader;
  }

  async known(view: ColdView, messageId: Hex): Promise<KnownRecords> {
    const [message, results] = await Promise.all([this.message(view, messageId), this.results(view, messageId)]);
    return { message, results };
  }

  /** Also of an orphaned message; null when there is none. */
  async message(view: ColdView, messageId: Hex): Promise<StoredMessage | null> {
    const { files, overlay } = view.tables.messages;
    const position = overlay.positionOfMessage(messageId, view.position);
    const candidates =
      position === undefined
        ? files
        : files.filter(({ minPosition, maxPosition }) => minPosition <= position && position <= maxPosition);
    return (await this.#find(MESSAGE_TABLE, view, candidates, messageId))[0] ?? null;
  }

  /** Ordered by verifier source and destination address. */
  async results(view: ColdView, messageId: Hex): Promise<readonly StoredVerifierResult[]> {
    const found = await this.#find(RESULT_TABLE, view, view.tables.verifier_results.files, messageId);
    return found.sort(
      (a, b) =>
        compareText(a.verifierSourceAddress, b.verifierSourceAddress) ||
        compareText(a.verifierDestAddress, b.verifierDestAddress),
    );
  }

  async #find<T extends { readonly messageId: Hex }, K extends RowKey>(
    list: ListTable<T, K>,
    view: ColdView,
    files: readonly ColdFile[],
    messageId: Hex,
  ): Promise<T[]> {
    const { overlay } = view.tables[list.table];
    const hash = hashId(messageId);
    // none of the filters is held longer than it is asked: all of them may be more than the caches take
    const isHit = await mapInParallel(files, PARALLEL_FILTERS, async (file) =>
      (await this.#reader.filter(list.table, file))(hash),
    );
    const hits = files.filter((_, index) => isHit[index]);
    const found = await mapInParallel(hits, PARALLEL_FILES, async (file) => {
      const groups = await this.#reader.groupsOf(list.table, file, messageId);
      const records = groups.length > 0 ? await this.#reader.records(list, file, groups) : [];
      return records
        .flat()
        .filter(
          (record) => record.messageId === messageId && !overlay.supersedes(list.rows.keyOf(record), view.position),
        );
    });
    return found.flat();
  }
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
