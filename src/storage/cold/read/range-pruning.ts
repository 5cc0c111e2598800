import type { ContentsFilter } from '../../../model/contents-filter.js';
import type { ResolvedRange } from '../../../model/list-query.js';
import type { DataFile } from '../namespace/data-file.js';
import { int64Bounds, type ParquetFooter } from '../parquet/footer.js';
import type { RowKey } from '../rows/row-kind.js';

/** Whether a lane passes the filters of a range. */
function admitsLane(
  { sourceChainSelectors: sources, destChainSelectors: dests }: ResolvedRange,
  source: bigint,
  dest: bigint,
): boolean {
  return (sources === null || sources.has(source)) && (dests === null || dests.has(dest));
}

/** Rows of a file that the filters admit, whatever their time. */
export function listedRows(range: ResolvedRange, { listedByLane }: DataFile): number {
  let listed = 0;
  for (const [lane, count] of listedByLane) {
    const [source = '', dest = ''] = lane.split('-');
    if (admitsLane(range, BigInt(source), BigInt(dest))) listed += count;
  }
  return listed;
}

/** The files that may have rows of a range. */
export function filesIn(range: ResolvedRange, files: readonly DataFile[]): DataFile[] {
  return files.filter(
    (file) => file.minMs <= range.endMs && file.maxMs >= range.startMs && listedRows(range, file) > 0,
  );
}

/** Whether a row is in a range and passes its filters. */
export function admitsRow(range: ResolvedRange, key: RowKey): boolean {
  return (
    key.ingestionMs >= range.startMs &&
    key.ingestionMs <= range.endMs &&
    admitsLane(range, key.sourceChainSelector, key.destChainSelector)
  );
}

/** The row groups that may have rows with an ingestion time in a range, with their times, ascending. */
export function groupsIn(
  footer: ParquetFooter,
  startMs: number,
  endMs: number,
  contents: ContentsFilter | null = null,
): { readonly group: number; readonly minMs: number; readonly maxMs: number }[] {
  const boundsOf = int64Bounds(footer, 'ingestion_ms');
  const mayHold = numbersTest(footer, contents);
  return Array.from({ length: footer.groups }, (_, group) => {
    const bounds = boundsOf(group);
    return {
      group,
      minMs: bounds ? Number(bounds.min) : 0,
      maxMs: bounds ? Number(bounds.max) : Number.POSITIVE_INFINITY,
    };
  }).filter(({ group, minMs, maxMs }) => minMs <= endMs && maxMs >= startMs && mayHold(group));
}

/** Whether a row group may have a message number of a filter; numbers beyond an int64 are in no statistics. */
function numbersTest(footer: ParquetFooter, contents: ContentsFilter | null): (group: number) => boolean {
  const { numbers = null } = contents ?? {};
  if (numbers === null) return () => true;
  const boundsOf = int64Bounds(footer, 'message_number');
  return (group) => {
    const bounds = boundsOf(group);
    return (
      bounds === null || numbers.through > MAX_INT64 || (bounds.min <= numbers.through && bounds.max >= numbers.from)
    );
  };
}

const MAX_INT64 = 2n ** 63n - 1n;
