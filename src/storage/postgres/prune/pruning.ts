import type { Clock } from '../../../core/clock.js';
import { AbortedError, InvalidArgumentError } from '../../../core/errors.js';
import type { Hex } from '../../../core/hex.js';
import type { Boundary } from '../../../model/boundary.js';
import type { PruneOptions, PruneOutcome } from '../../backend-storage.js';
import type { AdvanceHub } from '../clock/advance-hub.js';
import type { ClockRow } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import type { Transaction } from '../connection/transaction.js';
import type { TransactionRunner } from '../connection/transaction-runner.js';
import { hexArray } from '../rows/binary-arrays.js';
import { toBigint, toHex, toNumber } from '../rows/columns.js';
import type { StateReader } from '../write/state-reader.js';
import { createPruneStatements } from './prune-statements.js';

/** Ids of a step: this many in the first, then as many as hold the clock's lock for about `STEP_HELD_MS`. */
const FIRST_STEP_IDS = 50;
const MOST_STEP_IDS = 500;
/**
 * Below this a step holds the lock for its round trips, not for its ids: where those alone take longer than a step may,
 * it would be made smaller for nothing, until pruning fell behind the writers. Measured with 5 instead and round trips
 * of 2 ms: 80 ids a second.
 */
const LEAST_STEP_IDS = 40;
const STEP_HELD_MS = 8;
const STEP_COMMITS = 2_000;
const DUTY_CYCLE = 0.2;

/** Where the steps of one kind of record stand. */
interface Progress {
  messages: bigint;
  results: bigint;
}

/**
 * Removes records that another tier holds for good.
 *
 * floor raised (own commit) → ids found → removed in steps → commits, moves and counters below the floor removed
 *
 * - The floor is raised first: from then on no answer comes from the rows to remove, and those that a crash leaves are
 *   removed by the next run.
 * - The floor is a point between commits. A record at or below it by position is so by time too. A record below it in
 *   time that changed above it stays until the floor has passed that change.
 * - A step takes the clock lock, as a writer does: a writer that has looked at a row can rely on it. Ids are found
 *   before, without it; conditions are checked again under it.
 * - A removed record leaves its trace in `pruned_ids` and `pruned_results`, which is enough for writes to recognize a
 *   duplicate, a conflict, a new result and a status that does not advance: whether the id is known and since when, a
 *   hash of the body, status and origin of the message, identity and hash of each result. A change of a pruned record,
 *   and the description of a conflict with one, recalls it (`Recall`) and writes it as a full row, pruned again later.
 */
export function createPruning({
  clock,
  namespace,
  runner,
  reader,
  hub,
}: {
  readonly clock: Clock;
  readonly namespace: Namespace;
  readonly runner: TransactionRunner;
  readonly reader: StateReader;
  readonly hub: AdvanceHub;
}): (upTo: Boundary, options?: PruneOptions) => Promise<PruneOutcome> {
  const sql = createPruneStatements(namespace);

  async function raiseFloor({ ingestionMs, position }: Boundary): Promise<ClockRow> {
    return await runner.write('raise floor', async (transaction) => {
      await transaction.query(sql.raiseFloor, [ingestionMs, position]);
      const row = await reader.lock(transaction);
      await transaction.commit([]);
      return row;
    });
  }

  async function findIds(floor: bigint, after: Progress, limit: number): Promise<readonly Hex[]> {
    const values = [floor, after.messages, after.results, limit];
    const rows = await runner.read('find records to prune', { statement: sql.victims, values });
    const ids = new Set<Hex>();
    for (const row of rows) {
      ids.add(toHex(row[1]));
      const position = toBigint(row[2]);
      if (toNumber(row[0]) === 0) after.messages = position;
      else after.results = position;
    }
    return [...ids];
  }

  async function removeIds(ids: readonly Hex[], floor: bigint) {
    const given = hexArray(ids);
    let lockedMs = clock.monotonicMs();
    const lock = async (transaction: Transaction) => {
      await reader.lock(transaction);
      lockedMs = clock.monotonicMs();
    };
    const removed = await runner.write('prune records', async (transaction) => {
      const [, results, messages] = await Promise.all([
        lock(transaction),
        transaction.query(sql.results, [given, floor]),
        transaction.query(sql.messages, [given, floor]),
      ]);
      await transaction.commit([{ statement: sql.bodies, values: [given] }]);
      return { messages: toNumber(messages[0]?.[0]), verifierResults: toNumber(results[0]?.[0]) };
    });
    // its own wait for the lock does not hold others up
    return { ...removed, heldMs: clock.monotonicMs() - lockedMs };
  }

  async function removeLogs(
    { floorPosition, floorMs }: ClockRow,
    pause: (workedMs: number) => Promise<void>,
  ): Promise<void> {
    for (let removed = STEP_COMMITS; removed >= STEP_COMMITS; ) {
      const startedMs = clock.monotonicMs();
      removed = await runner.write('prune commits', async (transaction) => {
        const rows = await Promise.all([
          transaction.query(sql.commits, [floorPosition, STEP_COMMITS]),
          transaction.query(sql.counts, [floorMs, STEP_COMMITS]),
        ]);
        await transaction.commit([{ statement: sql.moves, values: [floorPosition] }]);
        return Math.max(...rows.map(([row]) => toNumber(row?.[0])));
      });
      await pause(clock.monotonicMs() - startedMs);
    }
  }

  return async (upTo, options = {}) => {
    const { stepIds = MOST_STEP_IDS, dutyCycle = DUTY_CYCLE, signal } = options;
    if (!(dutyCycle > 0 && dutyCycle <= 1))
      throw new InvalidArgumentError(`dutyCycle is ${dutyCycle}: pass a number above 0, at most 1`);
    const pause = async (workedMs: number) => {
      if (signal?.aborted) throw new AbortedError('pruning');
      if (dutyCycle < 1) await clock.sleep(workedMs * (1 / dutyCycle - 1), signal);
    };
    const row = await raiseFloor(upTo);
    hub.seen(row);
    const { floorPosition } = row;
    const pruned = { messages: 0, verifierResults: 0 };
    const after: Progress = { messages: 0n, results: 0n };
    let size = Math.min(FIRST_STEP_IDS, stepIds);
    for (;;) {
      const ids = await findIds(floorPosition, after, size);
      if (ids.length === 0) break;
      const step = await removeIds(ids, floorPosition);
      pruned.messages += step.messages;
      pruned.verifierResults += step.verifierResults;
      size = Math.min(stepIds, nextSize(size, step.heldMs));
      await pause(step.heldMs);
    }
    await removeLogs(row, pause);
    return { ...pruned, floor: { position: floorPosition, ingestionMs: row.floorMs } };
  };
}

function nextSize(size: number, heldMs: number): number {
  if (heldMs < STEP_HELD_MS / 2) return size * 2;
  // one slow step says little: it is never made more than four times smaller at once
  if (heldMs > STEP_HELD_MS) return Math.max(LEAST_STEP_IDS, Math.floor(size * Math.max(0.25, STEP_HELD_MS / heldMs)));
  return size;
}
