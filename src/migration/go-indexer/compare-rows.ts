import type { Clock } from '../../core/clock.js';
import type { Hex } from '../../core/hex.js';
import type { PlacesInOrder } from './filling.js';
import type { GoIndexerProgress } from './import-report.js';
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

/** See `GoIndexerImport.compare`. */
export async function compareRows(
  how: CompareRows & {
    readonly taker: RowTaker;
    /** All rows, from the beginning. */
    readonly places: PlacesInOrder;
    readonly rowsInAll: number;
    readonly batchRows: number;
    readonly clock: Clock;
    readonly step: () => Promise<GoIndexerProgress>;
  },
): Promise<ComparedRows> {
  const { taker, places, rowsInAll, batchRows, repair, signal, onProgress } = how;
  await catchUp(how);
  const differing = new Set<Hex>();
  let rows = 0;
  for (let part = await places.next(batchRows); part !== null; part = await places.next(batchRows)) {
    const read = await taker.readPart(part, signal);
    for (const messageId of await taker.differing(read)) differing.add(messageId);
    rows += read.length;
    onProgress?.(rows, rowsInAll);
  }
  await catchUp(how);
  return { rows, differences: await taker.differencesOf([...differing], repair, signal) };
}

/** Takes everything that was there when it began. */
async function catchUp({
  clock,
  step,
}: {
  readonly clock: Clock;
  readonly step: () => Promise<GoIndexerProgress>;
}): Promise<void> {
  const beganMs = clock.monotonicMs();
  for (;;) {
    const { phase, behindMs, isIdle } = await step();
    const isProved = behindMs !== null && clock.monotonicMs() - behindMs >= beganMs;
    if (phase === 'following' && (isIdle || isProved)) return;
  }
}
