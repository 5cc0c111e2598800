import type { z } from 'zod';
import type { Clock } from '../../core/clock.js';
import type { LaneBoard } from '../../lanes/lane-board.js';
import { boardTotals } from '../../lanes/lane-views.js';
import { messageTotals } from '../../lanes/message-totals.js';
import { resolveRange } from '../../model/list-query.js';
import type { Storage } from '../../storage/storage.js';
import type * as schemas from './figure-schemas.js';
import { windowsOf } from './windows.js';

type Answer = z.infer<typeof schemas.statsAnswer>;

/** Counting a large table takes long: a count serves all questions of a while. */
const FRESH_MS = 10_000;

/** The number of verifications that lists show, counted again when it is older than ten seconds. */
export function createResultCount(storage: Pick<Storage, 'count'>, clock: Clock): () => Promise<number> {
  let known: { readonly count: Promise<number>; readonly askedMs: number } | null = null;
  return async () => {
    const nowMs = clock.monotonicMs();
    if (known === null || nowMs - known.askedMs >= FRESH_MS) {
      const all = resolveRange({ sourceChainSelectors: [], destChainSelectors: [] });
      const asked = { count: storage.count('verifierResult', all).then(({ count }) => count), askedMs: nowMs };
      known = asked;
      // the next question counts again
      asked.count.catch(() => {
        if (known === asked) known = null;
      });
    }
    return await known.count;
  };
}

export function statsOf(board: LaneBoard, verifications: number, nowMs: number): Answer {
  const { total, processing, success, timeout, orphaned } = messageTotals(board);
  const { executions, position } = board;
  const { lanes, gaps, windows } = boardTotals(board, nowMs);
  return {
    position: String(position),
    messages: {
      total: String(total),
      processing: String(processing),
      success: String(success),
      timeout: String(timeout),
      orphaned: String(orphaned),
    },
    verifications: { total: String(verifications) },
    executions: {
      total: String(executions.success + executions.failure),
      success: String(executions.success),
      failure: String(executions.failure),
    },
    ...{ lanes, gaps, windows: windowsOf(windows) },
  };
}
