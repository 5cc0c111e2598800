import { mapInParallel } from '../../../core/parallel.js';
import { type ContentsFilter, createContentsTest } from '../../../model/contents-filter.js';
import type { ResolvedListQuery, ResolvedRange } from '../../../model/list-query.js';
import { compareOrderKeys } from '../../../model/order.js';
import { boundedBy, contentBytes } from '../../../model/outlines.js';
import type { StoredMessage, StoredVerifierResult } from '../../../model/records.js';
import type { DataFile } from '../namespace/data-file.js';
import type { DataFileReader, TableRows } from '../namespace/file-reader.js';
import type { ListTable } from '../namespace/record-tables.js';
import type { NamespaceView } from '../namespace/view.js';
import type { RowKey } from '../rows/row-kind.js';
import { filesWith, groupsWith } from './contents-pruning.js';
import { type CursorOptions, FileCursor, type FoundRow } from './file-cursor.js';
import { admitsRow, filesIn, groupsIn, listedRows } from './range-pruning.js';

const PARALLEL_FILES = 8;

/**
 * Lists and counts over the files of a view. Files are passed over by their statistics, then row groups by theirs;
 * rows of overlapping files are merged in the one order.
 */
export class Lists {
  readonly #reader: DataFileReader;

  constructor(reader: DataFileReader) {
    this.#reader = reader;
  }

  /** A page, and whether more comes after it. */
  async page<T extends StoredMessage | StoredVerifierResult, K extends RowKey>(
    list: ListTable<T, K>,
    view: NamespaceView,
    query: ResolvedListQuery,
  ): Promise<{ readonly items: readonly T[]; readonly more: boolean }> {
    const filtered = query.sourceChainSelectors !== null || query.destChainSelectors !== null;
    const dense = !filtered && query.offset <= query.limit;
    const budget = { leftBytes: query.maxBytes };
    const { contents, after } = query;
    const options = { list, reader: this.#reader, range: query, passes: testOf<T>(contents), after, dense, budget };
    const found = await this.#rows(options, view.tables[list.table].files, query.offset, query.limit + 1);
    const rows = found.slice(0, query.limit);
    return { items: await this.recordsWithin(list, rows, query.maxBytes), more: found.length > query.limit };
  }

  /** The records of rows as by `recordsOf`, but outlines once the records before hold `maxBytes`. */
  async recordsWithin<T extends StoredMessage | StoredVerifierResult, K extends RowKey>(
    list: ListTable<T, K>,
    rows: readonly FoundRow<T, K>[],
    maxBytes: number,
  ): Promise<readonly T[]> {
    if (maxBytes === Number.POSITIVE_INFINITY) return await this.recordsOf(list, rows);
    const items: T[] = [];
    for (let at = 0, bytes = 0; at < rows.length && bytes < maxBytes; ) {
      const first = rows[at];
      // as far as one row group reaches: its size is bounded
      const end = rows.findIndex((row, index) => index > at && (row.file !== first?.file || row.group !== first.group));
      const next = rows.slice(at, end < 0 ? rows.length : end);
      const records = boundedBy(await this.recordsOf(list, next), maxBytes - bytes, (record) =>
        list.outlineOf(list.rows.keyOf(record)),
      );
      for (const record of records) bytes += contentBytes(record);
      items.push(...records);
      at += next.length;
    }
    return [...items, ...rows.slice(items.length).map(({ key }) => list.outlineOf(key))];
  }

  /** The number of rows that lists show in a range. */
  async count<T extends StoredMessage | StoredVerifierResult, K extends RowKey>(
    list: ListTable<T, K>,
    view: NamespaceView,
    range: ResolvedRange,
  ): Promise<number> {
    const inTime = filesIn(range, view.tables[list.table].files);
    const files = await filesWith(this.#reader, list.table, inTime, range);
    const counts = await mapInParallel(files, PARALLEL_FILES, async (file) =>
      isWholeIn(range, file) ? listedRows(range, file) : await this.#countRows(list, range, file),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** The records of rows, in the order of the rows. */
  async recordsOf<T, K>(list: TableRows<T, K>, rows: readonly FoundRow<T, K>[]): Promise<T[]> {
    const wanted = new Map<DataFile, Set<number>>();
    for (const { file, group, record } of rows)
      if (record === null) wanted.set(file, (wanted.get(file) ?? new Set()).add(group));
    const read = new Map<string, T[]>();
    await mapInParallel([...wanted], PARALLEL_FILES, async ([file, groups]) => {
      const inOrder = [...groups].sort((a, b) => a - b);
      const records = await this.#reader.records(list, file, inOrder);
      for (const [place, group] of inOrder.entries()) read.set(`${file.uri} ${group}`, records[place] ?? []);
    });
    return rows.map(({ file, group, row, record }) => record ?? (read.get(`${file.uri} ${group}`)?.[row] as T));
  }

  /** The rows of a list from `offset` on, at most `wanted`. */
  async #rows<T, K extends RowKey>(
    options: CursorOptions<T, K>,
    files: readonly DataFile[],
    offset: number,
    wanted: number,
  ): Promise<FoundRow<T, K>[]> {
    const { range, after } = options;
    const startMs = Math.max(range.startMs, after?.ingestionMs ?? 0);
    const inTime = filesIn({ ...range, startMs }, files);
    const holding = await filesWith(this.#reader, options.list.table, inTime, range);
    const waiting = holding.toSorted((a, b) => a.minMs - b.minMs);
    const found: FoundRow<T, K>[] = [];
    let open: FileCursor<T, K>[] = [];
    let toSkip = offset;
    while (found.length < wanted) {
      const best = lowestHead(open);
      const ms = best?.head?.key.ingestionMs ?? Math.min(...open.map(({ boundMs }) => boundMs));
      const [first, second] = waiting;
      if (first && first.minMs <= ms) {
        waiting.shift();
        const alone = first.maxMs < Math.min(ms, second?.minMs ?? Number.POSITIVE_INFINITY);
        const listed = toSkip > 0 && alone && after === null ? listedRows(range, first) : Number.POSITIVE_INFINITY;
        if (listed <= toSkip && isWholeIn(range, first)) toSkip -= listed;
        else open.push(new FileCursor(first, options));
        continue;
      }
      // a row that is not loaded yet could come before the best one
      const late = open.filter(({ head, boundMs }) => head === undefined && boundMs <= ms);
      const later = late.filter(({ boundMs }) => Number.isFinite(boundMs));
      if (later.length > 0) {
        await Promise.all(later.map((cursor) => cursor.load(toSkip + wanted - found.length)));
        open = open.filter(({ head, boundMs }) => head !== undefined || Number.isFinite(boundMs));
        continue;
      }
      const row = best?.head;
      if (!best || !row) break;
      best.advance();
      if (toSkip > 0) toSkip -= 1;
      else found.push(row);
    }
    return found;
  }

  async #countRows<T extends StoredMessage | StoredVerifierResult, K extends RowKey>(
    list: ListTable<T, K>,
    range: ResolvedRange,
    file: DataFile,
  ): Promise<number> {
    const footer = await this.#reader.footer(list.table, file);
    const mayHold = await groupsWith(this.#reader, list.table, file, range);
    const inTime = groupsIn(footer, range.startMs, range.endMs).map(({ group }) => group);
    const groups = inTime.filter(mayHold);
    let count = 0;
    const passes = testOf<T>(range.contents);
    if (passes !== null) {
      // one after the other: a row group of records is large
      for (const group of groups)
        for (const records of await this.#reader.records(list, file, [group]))
          for (const record of records) if (admitsRow(range, list.rows.keyOf(record)) && passes(record)) count += 1;
      return count;
    }
    for (const keys of await this.#reader.keys(list, file, groups))
      for (const key of keys) if (admitsRow(range, key)) count += 1;
    return count;
  }
}

/** Whether a record has the contents of a filter; null: all have. */
function testOf<T extends StoredMessage | StoredVerifierResult>(contents: ContentsFilter | null) {
  if (contents === null) return null;
  const passes = createContentsTest(contents);
  return ({ encodedMessage }: T) => passes(encodedMessage);
}

/** True when statistics count exactly: all of the file is in the range, whatever its contents. */
function isWholeIn(range: ResolvedRange, { minMs, maxMs }: DataFile): boolean {
  return range.contents === null && minMs >= range.startMs && maxMs <= range.endMs;
}

function lowestHead<T, K extends RowKey>(cursors: readonly FileCursor<T, K>[]): FileCursor<T, K> | undefined {
  let lowest: FileCursor<T, K> | undefined;
  for (const cursor of cursors)
    if (cursor.head && (!lowest?.head || compareOrderKeys(cursor.head.key, lowest.head.key) < 0)) lowest = cursor;
  return lowest;
}
