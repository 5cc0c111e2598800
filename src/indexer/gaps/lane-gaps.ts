import type { Common } from '../../core/common.js';
import { IndexerError, toError } from '../../core/errors.js';
import type { LaneBoard } from '../../lanes/lane-board.js';
import { LanesBehindError } from '../../lanes/lanes.js';
import type { MissingNumbers } from '../../storage/lane-records.js';

/** Asks for the messages of lanes whose numbers are missing. */
export interface GapAsker {
  /** Works until `signal` aborts. Never throws: what fails is tried again. */
  run(signal: AbortSignal): Promise<void>;
}

/** Missing numbers of an OnRamp, and the first ingestion of a message above them, unix ms. */
export interface LaneGap extends MissingNumbers {
  readonly sinceMs: number;
}

/** The longest pause between two times that a gap is asked for. */
export const MAX_PAUSE_MS = 3_600_000;
const LOOK_EVERY_MS = 10_000;

/** The gaps of all lanes of a board. */
export function laneGapsOf(board: LaneBoard): readonly LaneGap[] {
  return [...board.lanes()].flatMap(({ sourceChainSelector, destChainSelector, onRamps }) =>
    [...onRamps.values()].flatMap(({ address: onRampAddress, numbers }) =>
      numbers.gaps().map((gap) => ({ sourceChainSelector, destChainSelector, onRampAddress, ...gap })),
    ),
  );
}

/** Looks again and again until `signal` aborts. Never throws. `named`: the source, in the log. */
export async function lookAtGaps(
  look: (signal: AbortSignal) => Promise<void>,
  named: Readonly<Record<string, string>>,
  askAgainAfterMs: number,
  { clock, log }: Common,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await look(signal);
    } catch (thrown) {
      // a count that is behind is no failure
      if (!signal.aborted && !(thrown instanceof LanesBehindError))
        log[thrown instanceof IndexerError ? 'warn' : 'error'](
          { ...named, err: toError(thrown) },
          'gaps of lanes cannot be looked at: trying again',
        );
    }
    await clock.sleep(Math.min(LOOK_EVERY_MS, askAgainAfterMs), signal).catch(() => 'the loop ends');
  }
}
