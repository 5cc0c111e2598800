import type { Common } from '../../../core/common.js';
import type { Hex } from '../../../core/hex.js';
import type { ChangeSet, WriteOutcome } from '../../../model/batch.js';
import { readLane } from '../../../model/payload.js';
import type { Recalled } from '../../../model/recall.js';
import type { Conflict } from '../../../model/records.js';
import { CoverageGapError } from '../../../model/storage-errors.js';
import type { AdvanceHub } from '../clock/advance-hub.js';
import { type ClockRow, isWhole } from '../clock/clock-row.js';
import type { ClockWriter } from '../clock/clock-writer.js';
import { type Call, type Transaction, UnknownOutcomeError } from '../connection/transaction.js';
import { fromSelector } from '../rows/columns.js';
import { addRecalled } from './add-recalled.js';
import { assembleCommit, type Commit, changeSetOf } from './commit-assembly.js';
import type { PreparedBatch } from './prepared-batch.js';
import type { RecordWriter } from './record-writer.js';
import type { StateReader } from './state-reader.js';
import { type AppliedBatch, WritePlan } from './write-plan.js';
import { touchedBy } from './write-state.js';

/** What became of one batch of a group. */
export type BatchVerdict =
  | { readonly ok: true; readonly outcome: WriteOutcome }
  | { readonly ok: false; readonly error: unknown };

/** What became of a group of batches. */
export interface GroupVerdict {
  readonly batches: readonly BatchVerdict[];
  /** Null when nothing changed. */
  readonly commit: { readonly changes: ChangeSet; readonly clock: ClockRow } | null;
}

/** Ids to recall before the group can be committed. */
export interface RecallWish {
  readonly lacking: ReadonlySet<Hex>;
}

/** COMMIT was sent; whether it was done is not known. `verdict` holds if it was. */
export class UnsettledCommit extends UnknownOutcomeError {
  readonly verdict: GroupVerdict;
  readonly throughPosition: bigint;
  constructor(verdict: GroupVerdict, throughPosition: bigint, cause: unknown) {
    super('insert batch', cause);
    this.verdict = verdict;
    this.throughPosition = throughPosition;
  }
}

/** Applies groups of batches, each group in one transaction. */
export interface GroupWriter {
  /**
   * Two round trips: the lock and what is stored; everything to write and COMMIT. Nothing is written when pruned records
   * are needed for it that are not among `recalled`: then it is told which, and must be run again with them.
   * @throws UnsettledCommit, StorageSetBackError
   */
  run(
    transaction: Transaction,
    batches: readonly PreparedBatch[],
    recalled: ReadonlyMap<Hex, Recalled>,
  ): Promise<GroupVerdict | RecallWish>;
  /** With the clock locked, so with no other commit under way: was this one done? */
  isDone(transaction: Transaction, throughPosition: bigint): Promise<boolean>;
}

export function createGroupWriter({
  common,
  name,
  reader,
  records,
  clockWriter,
  hub,
}: {
  readonly common: Common;
  readonly name: string;
  readonly reader: StateReader;
  readonly records: RecordWriter;
  readonly clockWriter: ClockWriter;
  readonly hub: Pick<AdvanceHub, 'coverage' | 'requireSeen'>;
}): GroupWriter {
  /** Lanes that are in the database for certain. */
  const knownLanes = new Set<string>();

  async function settleClashes(transaction: Transaction, plan: WritePlan): Promise<void> {
    const clashes = plan.describeClashes();
    if (clashes.size === 0) return;
    const recorded = await reader.readConflicts(transaction, [...clashes.keys()]);
    for (const [identity, { conflict, batches }] of clashes)
      if (!recorded.has(identity)) plan.record(identity, conflict, batches[0]);
  }

  function newLanes(commit: Commit): ReadonlyMap<string, readonly [source: bigint, dest: bigint]> {
    const lanes = new Map<string, readonly [bigint, bigint]>();
    for (const { encodedMessage } of commit.inserted) {
      const key = laneKey(encodedMessage);
      if (knownLanes.has(key) || lanes.has(key)) continue;
      const { sourceChainSelector, destChainSelector } = readLane(encodedMessage);
      lanes.set(key, [fromSelector(sourceChainSelector), fromSelector(destChainSelector)]);
    }
    return lanes;
  }

  function* callsFor(
    commit: Commit,
    lanes: Iterable<readonly [source: bigint, dest: bigint]>,
  ): Generator<Call, void, void> {
    yield* records.bodies(commit.bodies);
    yield* records.lanes(lanes);
    yield* records.changes(commit.changes, commit.inserted);
    yield* records.moves(commit.moves);
    yield clockWriter.tick({
      lastMs: commit.ingestionMs,
      lastPosition: commit.throughPosition,
      lastMovePosition: commit.movePosition,
      headPosition: commit.throughPosition,
    });
  }

  return {
    async run(transaction, batches, recalled) {
      const readMs = common.clock.nowMs();
      const { clock, state } = await reader.lockAndRead(transaction, touchedBy(batches));
      // a position that was given to one commit is not given to another
      hub.requireSeen(clock, hub.coverage().throughPosition);
      if (!isWhole(clock))
        throw new CoverageGapError({ kind: 'position', afterPosition: clock.lastPosition }, `follower ${name}`);
      addRecalled(state, recalled, clock.floorPosition);
      const plan = new WritePlan(state);
      const applied = batches.map((batch) => attempt(() => plan.apply(batch)));
      await reader.readBodies(transaction, plan.bodiesOfClashes(), state);
      const lacking = plan.lacking();
      if (lacking.size > 0) {
        await transaction.rollback();
        return { lacking };
      }
      await settleClashes(transaction, plan);
      const commit = assembleCommit(plan.changed(), state, clock, common.clock.nowMs());
      if (commit.changes.length === 0) {
        await transaction.rollback();
        return { batches: applied.map((each) => verdictOf(each, null)), commit: null };
      }
      const verdict: GroupVerdict = {
        batches: applied.map((each) => verdictOf(each, commit)),
        commit: { changes: changeSetOf(commit, clock, readMs), clock: clockAfter(clock, commit) },
      };
      const lanes = newLanes(commit);
      try {
        await transaction.commit(callsFor(commit, lanes.values()));
      } catch (thrown) {
        if (!(thrown instanceof UnknownOutcomeError)) throw thrown;
        throw new UnsettledCommit(verdict, commit.throughPosition, thrown.cause);
      }
      for (const lane of lanes.keys()) knownLanes.add(lane);
      return verdict;
    },
    async isDone(transaction, throughPosition) {
      const [, done] = await Promise.all([reader.lock(transaction), clockWriter.isDone(transaction, throughPosition)]);
      return done;
    },
  };
}

type Attempted =
  | { readonly ok: true; readonly applied: AppliedBatch }
  | { readonly ok: false; readonly error: unknown };

function attempt(apply: () => AppliedBatch): Attempted {
  try {
    return { ok: true, applied: apply() };
  } catch (error) {
    return { ok: false, error };
  }
}

function verdictOf(attempted: Attempted, commit: Commit | null): BatchVerdict {
  if (!attempted.ok) return attempted;
  const { messages, verifierResults, conflicts, changed } = attempted.applied;
  const committed =
    changed && commit ? { ingestionMs: commit.ingestionMs, throughPosition: commit.throughPosition } : null;
  return { ok: true, outcome: { messages, verifierResults, conflicts: conflicts as readonly Conflict[], committed } };
}

function clockAfter(before: ClockRow, commit: Commit): ClockRow {
  return {
    ...before,
    lastMs: commit.ingestionMs,
    lastPosition: commit.throughPosition,
    lastMovePosition: commit.movePosition,
    headPosition: commit.throughPosition,
  };
}

/** The selectors' bytes: two messages of one lane give the same. */
function laneKey(encodedMessage: Uint8Array): string {
  return Buffer.from(encodedMessage.buffer, encodedMessage.byteOffset + 1, 16).toString('latin1');
}
