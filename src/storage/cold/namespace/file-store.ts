import { nextTurn } from '../../../core/event-loop.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { EncodedFile } from '../rows/data-file-encoder.js';
import type { TableName } from '../rows/table-name.js';
import type { DataFile } from './data-file.js';
import { ReadBackError } from './namespace-errors.js';

/** Bytes read back at once: another copy of a whole file would double the memory of a large one. */
const READ_BACK_BYTES = 4 * 1024 * 1024;

/** Stores data files with their indexes, and compares the stored bytes with the written ones. */
export class DataFileStore {
  readonly #store: ObjectStore;
  readonly #keyOf: (table: TableName, path: string) => string;

  constructor(parts: {
    readonly store: ObjectStore;
    readonly keyOf: (table: TableName, path: string) => string;
  }) {
    this.#store = parts.store;
    this.#keyOf = parts.keyOf;
  }

  /** @throws ReadBackError, and the errors of the object store. */
  async put(table: TableName, file: DataFile, { bytes, index }: EncodedFile): Promise<void> {
    await Promise.all([
      this.#putChecked(this.#keyOf(table, file.path), bytes),
      index && file.index ? this.#putChecked(this.#keyOf(table, file.index.path), index.bytes) : null,
    ]);
  }

  async #putChecked(key: string, bytes: Uint8Array): Promise<void> {
    await this.#store.putIfAbsent(key, bytes);
    if (bytes.length <= READ_BACK_BYTES) {
      if (!isSame(await this.#store.get(key), bytes)) throw new ReadBackError(key);
      return;
    }
    // the ranges below do not see bytes beyond the end
    if ((await this.#store.head(key)).sizeBytes !== bytes.length) throw new ReadBackError(key);
    for (let start = 0; start < bytes.length; start += READ_BACK_BYTES) {
      const endExclusive = Math.min(bytes.length, start + READ_BACK_BYTES);
      const stored = await this.#store.get(key, { start, endExclusive });
      if (!isSame(stored, bytes.subarray(start, endExclusive))) throw new ReadBackError(key);
      await nextTurn();
    }
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
