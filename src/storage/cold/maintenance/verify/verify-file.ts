import { isDeepStrictEqual } from 'node:util';
import { nextTurn } from '../../../../core/event-loop.js';
import { stringifyStats } from '../../delta/stats.js';
import { findRowGroups, type IdIndexHead, parseIdIndexHead } from '../../id-index/index-head.js';
import { type DataFile, dayOfFile } from '../../namespace/data-file.js';
import { FileScan, type ScannedGroup, type ScanParts } from '../../namespace/file-scan.js';
import { encodeBloomFilter } from '../../parquet/bloom-filter.js';
import { type ColumnSpec, type ColumnValue, fileColumns } from '../../parquet/columns.js';
import type { ParquetFooter } from '../../parquet/footer.js';
import { SummaryCollector } from '../../rows/file-summary.js';
import { dayOf, type RowKind } from '../../rows/row-kind.js';
import type { TableName } from '../../rows/table-name.js';
import { messageOf, type TellProblem } from './verify-log.js';

const REWRITE = 'restore the object from a copy of the bucket, or delete the namespace and let it be followed anew';
const BUG = 'answers may be wrong: report it, and let the namespace be followed anew';
/** Index lookups without a pause. */
const STEP_LOOKUPS = 2000;

/** The checks of all files of a table. */
export interface FileChecks<T, K> {
  readonly table: TableName;
  readonly rows: RowKind<T, K>;
  /** The ingestion time of a row; null when its table is not partitioned by it. */
  readonly msOf: (key: K) => number | null;
  /** Told of every row. */
  readonly onRow: (key: K) => void;
}

/** The rows and bytes that were read of a file. */
export interface CheckedFile {
  readonly rows: number;
  readonly bytes: number;
}

/** Reads one file and its index back and compares everything that the log says of them with their content. */
export async function verifyFile<T, K extends { readonly position: bigint }>(
  parts: ScanParts,
  checks: FileChecks<T, K>,
  file: DataFile,
  tell: TellProblem,
): Promise<CheckedFile> {
  let bytes = 0;
  const ids: { id: string; group: number }[] = [];
  let footer: ParquetFooter | null = null;
  let rows = 0;
  try {
    const { sizeBytes } = await parts.store.head(parts.keyOf(checks.table, file.path));
    if (sizeBytes !== file.sizeBytes)
      tell(file.path, `it has ${sizeBytes} bytes, and ${file.sizeBytes} by the log`, REWRITE);
    bytes += sizeBytes;
    const scan = new FileScan(parts, checks.table, checks.rows, file, { columns: checks.rows.columns });
    footer = await scan.footer();
    rows = await verifyRows(scan, footer, checks, file, ids, tell);
  } catch (thrown) {
    tell(file.path, messageOf(thrown), REWRITE);
  }
  if (ids.length > 0 && file.index === null) tell(file.path, 'it has ids and no index', BUG);
  if (file.index) bytes += await verifyIndex(parts, checks, file, { ids, footer }, tell);
  return { rows, bytes };
}

async function verifyRows<T, K extends { readonly position: bigint }>(
  scan: FileScan<T, K>,
  footer: ParquetFooter,
  { rows: kind, msOf, onRow }: FileChecks<T, K>,
  file: DataFile,
  ids: { id: string; group: number }[],
  tell: TellProblem,
): Promise<number> {
  const isThere = ({ name, added }: ColumnSpec) => !added || footer.columnIndex(name) >= 0;
  const collector = new SummaryCollector(kind, isThere);
  const problems = new Map<string, number>();
  const count = (what: string) => problems.set(what, (problems.get(what) ?? 0) + 1);
  const day = dayOfFile(file);
  let last: K | undefined;
  const hasTerms = kind.termKinds.every((each) => file.index?.termKinds.includes(each));
  let isWhole = true;
  let rows = 0;
  for (let at = 0; at < footer.groups; at += 1) {
    await nextTurn();
    const scanned = await scan.next().catch((thrown: unknown) => {
      tell(file.path, `row group ${at}: ${messageOf(thrown)}`, REWRITE);
      return null;
    });
    if (!scanned) {
      isWhole = false;
      continue;
    }
    if (!hasRightFilters(kind, scanned)) count('row groups whose bloom filter is of other values');
    const keys = scanned.keys();
    const terms = new Set<string>();
    for (const [row, record] of scanned.records.entries()) {
      const key = kind.keyOf(record);
      const values = kind.encode(record, key);
      if (!isSameKey(key, keys[row]) || !isSameRow(values, scanned.cells(row)))
        count('rows whose own columns and content disagree');
      if (last !== undefined && kind.compare(last, key) > 0) count('rows out of order');
      const ms = msOf(key);
      if (ms !== null && dayOf(ms) !== day) count(`rows of another day than ${day}`);
      collector.add(key, values);
      const id = kind.indexedId(key);
      if (id !== null && !(ids.at(-1)?.id === id && ids.at(-1)?.group === scanned.group))
        ids.push({ id, group: scanned.group });
      for (const term of hasTerms ? kind.termsOf(record, key) : []) terms.add(term);
      onRow(key);
      last = key;
      rows += 1;
    }
    for (const term of terms) ids.push({ id: term, group: scanned.group });
  }
  for (const [what, number] of problems) tell(file.path, `${number} ${what}`, BUG);
  if (isWhole) verifyFigures(collector, file, rows, tell);
  return rows;
}

function verifyFigures(
  collector: Pick<SummaryCollector<unknown, { readonly position: bigint }>, 'stats' | 'summary'>,
  file: DataFile,
  rows: number,
  tell: TellProblem,
): void {
  if (rows !== file.rows) tell(file.path, `it has ${rows} rows, and ${file.rows} by the log`, BUG);
  if (stringifyStats(collector.stats()) !== stringifyStats(file.stats))
    tell(file.path, 'its statistics in the log are not those of its rows', BUG);
  const { minPosition, maxPosition, listedByLane } = collector.summary();
  if (minPosition !== file.minPosition || maxPosition !== file.maxPosition)
    tell(
      file.path,
      `its positions are ${minPosition} to ${maxPosition}, and ${file.minPosition} to ${file.maxPosition} by the log`,
      BUG,
    );
  if (maxPosition > file.flushThrough)
    tell(file.path, `it has position ${maxPosition}, and its flush ended at ${file.flushThrough}`, BUG);
  const lanes = (of: ReadonlyMap<string, number>) => JSON.stringify([...of].sort());
  if (lanes(listedByLane) !== lanes(file.listedByLane))
    tell(file.path, 'its counts by lane in the log are not those of its rows', BUG);
}

async function verifyIndex<T, K>(
  { store, keyOf }: ScanParts,
  { table, rows }: FileChecks<T, K>,
  file: DataFile,
  { ids, footer }: { readonly ids: readonly { id: string; group: number }[]; readonly footer: ParquetFooter | null },
  tell: TellProblem,
): Promise<number> {
  const { path, sizeBytes, headBytes } = file.index ?? { path: '', sizeBytes: 0, headBytes: 0 };
  try {
    const bytes = await store.get(keyOf(table, path));
    if (bytes.length !== sizeBytes) tell(path, `it has ${bytes.length} bytes, and ${sizeBytes} by the log`, REWRITE);
    const head = parseIdIndexHead(bytes.subarray(0, headBytes));
    const places = head.footer(rows.columns);
    if (places && footer && !isSamePlaces(places, footer)) tell(path, 'its row groups are not those of its file', BUG);
    const missing = await countMissing(bytes, head, ids);
    if (missing > 0) tell(path, `${missing} ids and terms of its file are not found by it`, BUG);
    return bytes.length;
  } catch (thrown) {
    tell(path, messageOf(thrown), REWRITE);
    return 0;
  }
}

async function countMissing(bytes: Uint8Array, head: IdIndexHead, ids: readonly { id: string; group: number }[]) {
  let missing = 0;
  for (const [place, { id, group }] of ids.entries()) {
    const found = await findRowGroups(head, id, async ({ start, endExclusive }) => bytes.subarray(start, endExclusive));
    if (!found.includes(group)) missing += 1;
    if (place % STEP_LOOKUPS === STEP_LOOKUPS - 1) await nextTurn();
  }
  return missing;
}

function isSamePlaces(a: ParquetFooter, b: ParquetFooter): boolean {
  if (a.groups !== b.groups || a.columns.length !== b.columns.length) return false;
  const bounded = ['ingestion_ms', 'position'].map((name) => b.columnIndex(name));
  for (let group = 0; group < a.groups; group += 1) {
    if (a.groupRows(group) !== b.groupRows(group)) return false;
    for (let column = 0; column < a.columns.length; column += 1) {
      const [one, other] = [a.chunkRange(group, column), b.chunkRange(group, column)];
      if (one.start !== other.start || one.endExclusive !== other.endExclusive) return false;
      if (a.chunkChecksum(group, column) !== b.chunkChecksum(group, column)) return false;
      if (a.chunkCodec(group, column) !== b.chunkCodec(group, column)) return false;
    }
    for (const column of bounded) {
      const [one, other] = [a.chunkBounds(group, column), b.chunkBounds(group, column)];
      if (other && (!one || Buffer.compare(one.min, other.min) !== 0 || Buffer.compare(one.max, other.max) !== 0))
        return false;
    }
  }
  return true;
}

/** Other engines pass over row groups by bloom filters, which no checksum covers. */
function hasRightFilters<T, K>({ columns }: RowKind<T, K>, scanned: ScannedGroup<T, K>): boolean {
  return fileColumns(columns).every((fileColumn, place) => {
    if (!columns[place]?.bloomFilter) return true;
    const values = scanned.records.map((_, row) => scanned.cells(row)[place] ?? null);
    const [expected, found] = [encodeBloomFilter(values), scanned.filter(fileColumn.name)];
    return expected === null || found === null ? expected === found : Buffer.compare(expected, found) === 0;
  });
}

/** The columns of a row say what its record says. */
function isSameRow(expected: readonly ColumnValue[], found: readonly ColumnValue[]): boolean {
  return expected.every((value, place) => {
    const other = found[place] ?? null;
    return value instanceof Uint8Array && other instanceof Uint8Array
      ? Buffer.compare(value, other) === 0
      : isDeepStrictEqual(value, other);
  });
}

/** Keys are flat. */
function isSameKey(a: object, b: object | undefined): boolean {
  if (b === undefined) return false;
  const fields = b as Readonly<Record<string, unknown>>;
  return Object.entries(a).every(([name, value]) => fields[name] === value);
}
