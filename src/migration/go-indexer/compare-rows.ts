import type { Hex } from '../../core/hex.js';
import type { PlacesInOrder } from './filling.js';
import type { RowTaker } from './row-taker.js';

/** How rows are compared. */
export interface CompareRows {
  /** Rows that differ are stored. */
  readonly repair: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (rows: number, rowsInAll: number) => void;
}

/** What a comparison found. */
export interface ComparedRows {
  readonly rows: number;
  /** Rows that differ from the target's although everything written meanwhile is taken. */
  readonly differences: number;
}

/** See `GoIndexerImport.compare`. @param how.catchUp takes everything that was there when it began. */
export async function compareRows(
  how: CompareRows & {
    readonly taker: RowTaker;
    /** All rows, from the beginning. */
    readonly places: PlacesInOrder;
    readonly rowsInAll: number;
    readonly batchRows: number;
    readonly catchUp: () => Promise<void>;
  },
): Promise<ComparedRows> {
  const { taker, places, rowsInAll, batchRows, catchUp, repair, signal, onProgress } = how;
  await catchUp();
  const differing = new Set<Hex>();
  let rows = 0;
  for (let part = await places.next(batchRows); part !== null; part = await places.next(batchRows)) {
    const read = await taker.readPart(part, signal);
    for (const messageId of await taker.differing(read)) differing.add(messageId);
    rows += read.length;
    onProgress?.(rows, rowsInAll);
  }
  await catchUp();
  return { rows, differences: await taker.differencesOf([...differing], repair, signal) };
}
