import { LRUCache } from 'lru-cache';
import type { Hex } from '../../../core/hex.js';
import { hashId, type IdHash } from '../id-index/hash.js';
import { IdIndexFormatError } from '../id-index/id-index-format-error.js';
import { findRowGroups, type IdIndexHead, parseIdIndexHead } from '../id-index/index-head.js';
import type { ByteRange, ObjectStore } from '../object-store/object-store.js';
import { type ParquetFooter, readFooter } from '../parquet/footer.js';
import { type RowGroupData, readRowGroups } from '../parquet/row-group-reader.js';
import type { Zstd } from '../parquet/zstd.js';
import { indexTerm, type TermKind } from '../rows/index-terms.js';
import type { RowKind } from '../rows/row-kind.js';
import { TABLE_COLUMNS } from '../rows/table-columns.js';
import type { TableName } from '../rows/table-name.js';
import type { DataFile } from './data-file.js';

/** An index up to this size is read and kept whole: then a lookup costs the row group alone. */
const WHOLE_INDEX_BYTES = 512 * 1024;
/** Memory of a key, about. */
const KEY_BYTES = 400;
/** Key columns of neighbouring row groups, with the bytes between them: one request instead of many. */
const KEYS_MAX_GAP_BYTES = 128 * 1024;
/** Row groups of which a column is read at once. */
const COLUMN_GROUPS = 64;
/** The largest entry, as a part of its cache. */
const MAX_ENTRY_SHARE = 4;
/** The part of the memory that rows may take. Footers and indexes have the rest: a scan must not displace them. */
const ROWS_SHARE = 4;

/** A table and the kind of its rows. */
export interface TableRows<T, K> {
  readonly table: TableName;
  readonly rows: RowKind<T, K>;
}

/** The keys or records of a row group in file order, or its columns. */
type Decoded = readonly unknown[];
type Cached = ParquetFooter | IdIndexHead | Uint8Array | Decoded;

/**
 * Reads data files and their indexes. Everything about a file is immutable, so all of it can be cached, bounded by
 * bytes: footers and indexes in one cache, decoded row groups in a smaller one. Reads of the same thing at the same
 * time are one request.
 */
export class DataFileReader {
  readonly #store: ObjectStore;
  readonly #zstd: Zstd;
  readonly #keyOf: (table: TableName, path: string) => string;
  readonly #places: LRUCache<string, Cached>;
  readonly #rows: LRUCache<string, Cached>;
  readonly #underWay = new Map<string, Promise<Cached>>();

  constructor(parts: {
    readonly store: ObjectStore;
    readonly zstd: Zstd;
    readonly keyOf: (table: TableName, path: string) => string;
    readonly cacheBytes: number;
  }) {
    this.#store = parts.store;
    this.#zstd = parts.zstd;
    this.#keyOf = parts.keyOf;
    const rowsBytes = Math.floor(parts.cacheBytes / ROWS_SHARE);
    this.#rows = createCache(rowsBytes);
    this.#places = createCache(parts.cacheBytes - rowsBytes);
  }

  /** Bytes in the cache, about. */
  get cachedBytes(): number {
    return this.#places.calculatedSize + this.#rows.calculatedSize;
  }

  /** The places of a file's row groups: from its index, else from its own footer, which is much larger. */
  async footer(table: TableName, file: DataFile): Promise<ParquetFooter> {
    const known = file.index && (await this.#head(table, file)).footer(TABLE_COLUMNS[table]);
    if (known && known.rows !== file.rows) throw new IdIndexFormatError('it is the index of another file');
    if (known) return known;
    return await this.#once(
      this.#places,
      `footer ${table}/${file.uri}`,
      () => readFooter(file, this.#fetcher(table, file.path)),
      (footer) => footer.memoryBytes,
    );
  }

  /** The keys of row groups, by row group. */
  async keys<T, K>({ table, rows }: TableRows<T, K>, file: DataFile, groups: readonly number[]): Promise<K[][]> {
    return await this.#groups<K>('keys', table, file, groups, async (missing) => {
      const known = missing.map((group) => this.#rows.get(`rows ${table}/${file.uri} ${group}`) as T[] | undefined);
      if (known.every((records) => records !== undefined))
        return known.map((records) => (records ?? []).map((record) => rows.keyOf(record)));
      const data = await this.#read(table, file, {
        groups: missing,
        columns: rows.keyColumns,
        maxGapBytes: KEYS_MAX_GAP_BYTES,
      });
      return data.map((group) => decodeAll(group, rows.keys(group)));
    });
  }

  /** The records of row groups, by row group. They are shared: callers must not change them. */
  async records<T, K>({ table, rows }: TableRows<T, K>, file: DataFile, groups: readonly number[]): Promise<T[][]> {
    return await this.#groups<T>(
      'rows',
      table,
      file,
      groups,
      async (missing) => {
        const data = await this.#read(table, file, { groups: missing, columns: rows.recordColumns });
        return data.map((group) => decodeAll(group, rows.records(group)));
      },
      (record) => rows.sizeOf(record) + KEY_BYTES,
    );
  }

  /** The records of a message in row groups that may hold some. No other row is decoded. */
  async recordsOf<T extends { readonly messageId: Hex }, K>(
    { table, rows }: TableRows<T, K>,
    file: DataFile,
    groups: readonly number[],
    messageId: Hex,
  ): Promise<T[]> {
    const decoded = groups.flatMap((group) => this.#rows.get(`rows ${table}/${file.uri} ${group}`) as T[] | undefined);
    if (!decoded.includes(undefined)) return decoded.filter((record) => record?.messageId === messageId) as T[];
    const load = async (missing: readonly number[]) => {
      const data = await this.#read(table, file, { groups: missing, columns: rows.recordColumns });
      return data.map((group) => [group]);
    };
    const found = await this.#groups('columns', table, file, groups, load, (data) => data.memoryBytes());
    return found.flat().flatMap((data) => data.column('message_id').rowsOf(messageId).map(rows.records(data)));
  }

  /** Says of ids, by their hash, whether the file may have rows with them: false is certain. */
  async filter(table: TableName, file: DataFile): Promise<(hash: IdHash) => boolean> {
    if (file.index === null) return () => false;
    const head = await this.#head(table, file);
    return (hash) => head.mayContain(hash);
  }

  /**
   * Says of the values of a kind whether the file may have rows with them: false is certain. Null: its index has none
   * of that kind.
   */
  async termFilter(table: TableName, file: DataFile, kind: TermKind): Promise<((value: string) => boolean) | null> {
    if (!file.index?.termKinds.includes(kind)) return null;
    const mayHold = await this.filter(table, file);
    return (value) => mayHold(hashId(indexTerm(kind, value)));
  }

  /** The row groups of a file that may hold an id or a term. */
  async groupsOf(table: TableName, file: DataFile, id: string): Promise<readonly number[]> {
    const { index } = file;
    if (index === null) return [];
    const head = await this.#head(table, file);
    if (!head.mayContain(hashId(id))) return [];
    return await findRowGroups(head, id, async (range) =>
      index.sizeBytes <= WHOLE_INDEX_BYTES
        ? (await this.#indexBytes(table, file, 0, index.sizeBytes)).subarray(range.start, range.endExclusive)
        : await this.#indexBytes(table, file, range.start, range.endExclusive),
    );
  }

  /**
   * The row groups of a file that may hold a record of a transaction: by its index, or, where that has no transactions,
   * by the column itself.
   */
  async groupsOfTransaction(table: TableName, file: DataFile, hash: Hex): Promise<readonly number[]> {
    if (file.index === null) return [];
    if (file.index.termKinds.includes('transaction'))
      return await this.groupsOf(table, file, indexTerm('transaction', hash));
    const columns = TABLE_COLUMNS[table].filter(({ name }) => name === 'transaction_hash');
    const { groups: count } = await this.footer(table, file);
    const found: number[] = [];
    for (let first = 0; first < count; first += COLUMN_GROUPS) {
      const groups = Array.from({ length: Math.min(COLUMN_GROUPS, count - first) }, (_, at) => first + at);
      for (const { group, column } of await this.#read(table, file, { groups, columns }))
        if (column('transaction_hash').rowsOf(hash).length > 0) found.push(group);
    }
    return found;
  }

  async #head(table: TableName, file: DataFile): Promise<IdIndexHead> {
    const { index } = file;
    return await this.#once(
      this.#places,
      `head ${table}/${file.uri}`,
      async () => {
        const size = index?.sizeBytes ?? 0;
        const end = size <= WHOLE_INDEX_BYTES ? size : (index?.headBytes ?? 0);
        return parseIdIndexHead(await this.#indexBytes(table, file, 0, end));
      },
      (head) => head.memoryBytes,
    );
  }

  /** Heads of large indexes are kept parsed only. */
  async #indexBytes(table: TableName, file: DataFile, start: number, endExclusive: number): Promise<Uint8Array> {
    const path = file.index?.path ?? '';
    const fetch = () => this.#store.get(this.#keyOf(table, path), { start, endExclusive });
    return await this.#once(
      this.#places,
      `index ${table}/${path} ${start}-${endExclusive}`,
      fetch,
      (bytes) => bytes.length + 200,
    );
  }

  async #groups<V>(
    what: string,
    table: TableName,
    file: DataFile,
    groups: readonly number[],
    load: (missing: readonly number[]) => Promise<V[][]>,
    sizeOf: (value: V) => number = () => KEY_BYTES,
  ): Promise<V[][]> {
    const name = (group: number) => `${what} ${table}/${file.uri} ${group}`;
    const missing = groups.filter((group) => !this.#rows.has(name(group)) && !this.#underWay.has(name(group)));
    const loading = missing.length > 0 ? load(missing) : null;
    const found = groups.map((group) => {
      const place = missing.indexOf(group);
      return this.#once(
        this.#rows,
        name(group),
        async () => (place < 0 || !loading ? ((await load([group]))[0] ?? []) : ((await loading)[place] ?? [])),
        (values) => values.reduce((sum, value) => sum + sizeOf(value), 200),
      );
    });
    return await Promise.all(found);
  }

  async #read(
    table: TableName,
    file: DataFile,
    request: Parameters<typeof readRowGroups>[1],
  ): Promise<readonly RowGroupData[]> {
    const footer = await this.footer(table, file);
    return await readRowGroups(footer, request, { fetch: this.#fetcher(table, file.path), zstd: this.#zstd });
  }

  #fetcher(table: TableName, path: string): (range: ByteRange) => Promise<Uint8Array> {
    const key = this.#keyOf(table, path);
    return (range) => this.#store.get(key, range);
  }

  async #once<V extends Cached>(
    cache: LRUCache<string, Cached>,
    name: string,
    load: () => Promise<V>,
    sizeOf: (value: V) => number,
  ): Promise<V> {
    const cached = cache.get(name);
    if (cached !== undefined) return cached as V;
    const running = this.#underWay.get(name);
    if (running) return (await running) as V;
    const loading = load();
    this.#underWay.set(name, loading);
    try {
      const value = await loading;
      cache.set(name, value, { size: Math.max(1, Math.ceil(sizeOf(value))) });
      return value;
    } finally {
      this.#underWay.delete(name);
    }
  }
}

/** A cache that does not keep an entry beyond its share. */
function createCache(maxSize: number): LRUCache<string, Cached> {
  return new LRUCache({ maxSize, maxEntrySize: Math.max(1, Math.floor(maxSize / MAX_ENTRY_SHARE)) });
}

function decodeAll<V>({ rows }: RowGroupData, decode: (row: number) => V): V[] {
  // `Array.from` takes a quarter of the time of a list
  const values: V[] = [];
  for (let row = 0; row < rows; row++) values.push(decode(row));
  return values;
}
