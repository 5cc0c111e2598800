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

/** The lanes of a file that the filters admit, as `laneName` has them. */
export function listedLanes(range: ResolvedRange, { listedByLane }: DataFile): readonly string[] {
  return [...listedByLane.keys()].filter((lane) => {
    const [source = '', dest = ''] = lane.split('-');
    return admitsLane(range, BigInt(source), BigInt(dest));
  });
}

/** Rows of a file that the filters admit, whatever their time. */
export function listedRows(range: ResolvedRange, file: DataFile): number {
  return listedLanes(range, file).reduce((sum, lane) => sum + (file.listedByLane.get(lane) ?? 0), 0);
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
): { readonly group: number; readonly minMs: number; readonly maxMs: number }[] {
  const boundsOf = int64Bounds(footer, 'ingestion_ms');
  return Array.from({ length: footer.groups }, (_, group) => {
    const bounds = boundsOf(group);
    return {
      group,
      minMs: bounds ? Number(bounds.min) : 0,
      maxMs: bounds ? Number(bounds.max) : Number.POSITIVE_INFINITY,
    };
  }).filter(({ minMs, maxMs }) => minMs <= endMs && maxMs >= startMs);
}
