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

/**
 * The number of verifications that lists show, counted again when it is older than ten seconds; one count at a time,
 * however long it takes.
 */
export function createResultCount(storage: Pick<Storage, 'count'>, clock: Clock): () => Promise<number> {
  const all = resolveRange({ sourceChainSelectors: [], destChainSelectors: [] });
  let known: { readonly count: number; readonly countedMs: number } | null = null;
  let counting: Promise<number> | null = null;
  const countAnew = async () => {
    const { count } = await storage.count('verifierResult', all);
    known = { count, countedMs: clock.monotonicMs() };
    return count;
  };
  return async () => {
    if (known !== null && clock.monotonicMs() - known.countedMs < FRESH_MS) return known.count;
    counting ??= countAnew().finally(() => {
      counting = null;
    });
    return await counting;
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
