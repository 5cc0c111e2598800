import type { Common } from '../../../core/common.js';
import type { Hex } from '../../../core/hex.js';
import type { ChangeSet } from '../../../model/batch.js';
import type { CommitPlan } from '../../../model/commit/commit-plan.js';
import type { GivenBatch } from '../../../model/commit/given-batch.js';
import { planCommit } from '../../../model/commit/plan-commit.js';
import {
  type BatchVerdict,
  type Commit,
  changeSetOf,
  stampCommit,
  verdictsOf,
} from '../../../model/commit/stamp-commit.js';
import { readLane } from '../../../model/payload.js';
import type { Recalled } from '../../../model/recall.js';
import { CoverageGapError, HandedOverError } from '../../../model/storage-errors.js';
import type { AdvanceHub } from '../clock/advance-hub.js';
import { type ClockRow, isWhole } from '../clock/clock-row.js';
import type { ClockWriter } from '../clock/clock-writer.js';
import { type Call, type CopyCall, type Transaction, UnknownOutcomeError } from '../connection/transaction.js';
import { fromSelector } from '../rows/columns.js';
import { addRecalled } from './add-recalled.js';
import { type LoadedState, touchedBy } from './loaded-state.js';
import type { BodyRow } from './record-values.js';
import type { RecordWriter } from './record-writer.js';
import type { StateReader } from './state-reader.js';

/** The end of a group of batches. */
export interface GroupVerdict {
  readonly kind: 'settled';
  readonly batches: readonly BatchVerdict[];
  /** Null when nothing changed. */
  readonly commit: { readonly changes: ChangeSet; readonly clock: ClockRow } | null;
}

/** Ids to recall before the group can be committed. */
export interface RecallWish {
  readonly kind: 'recall';
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
   * Two round trips: the lock and the stored state; all writes and COMMIT. Nothing is written when a pruned record is
   * needed that is not among `recalled`: the answer names such records, and the group must be run again with them.
   * @throws UnsettledCommit, StorageSetBackError
   */
  run(
    transaction: Transaction,
    batches: readonly GivenBatch[],
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

  async function planLoaded(
    transaction: Transaction,
    state: LoadedState,
    batches: readonly GivenBatch[],
  ): Promise<CommitPlan | RecallWish> {
    let plan = planCommit(state, batches);
    if (plan.kind === 'lacking' && plan.recalls.size === 0) {
      await reader.readLacking(transaction, plan, state);
      plan = planCommit(state, batches);
    }
    if (plan.kind === 'planned') return plan;
    // a body that is lacking still was removed without the lock: it is recalled as a pruned one is
    return { kind: 'recall', lacking: plan.recalls.size > 0 ? plan.recalls : plan.bodies };
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
    { replacements }: CommitPlan,
    bodies: readonly BodyRow[],
    lanes: Iterable<readonly [source: bigint, dest: bigint]>,
  ): Generator<Call | CopyCall, void, void> {
    yield* records.newBodies(bodies);
    yield* records.lanes(lanes);
    yield* records.changes(commit.changes, commit.inserted);
    yield* records.listed(commit.changes, commit.inserted);
    yield* records.moves(commit.moves);
    yield* records.replacements(replacements, commit.ingestionMs);
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
      if (clock.handedOver) throw new HandedOverError(name);
      if (!isWhole(clock))
        throw new CoverageGapError({ kind: 'position', afterPosition: clock.lastPosition }, `follower ${name}`);
      addRecalled(state, recalled, clock.floorPosition);
      const plan = await planLoaded(transaction, state, batches);
      if (plan.kind === 'recall') {
        await transaction.rollback();
        return plan;
      }
      const ingestionMs = Math.max(clock.lastMs + 1, common.clock.nowMs());
      const before = { position: clock.lastPosition, movePosition: clock.lastMovePosition };
      const commit = stampCommit(plan, ingestionMs, before);
      if (commit.changes.length === 0) {
        await transaction.rollback();
        return { kind: 'settled', batches: verdictsOf(plan, null), commit: null };
      }
      const changes = {
        ...changeSetOf(commit, clock.lastPosition, readMs),
        follows: { position: clock.lastPosition, ingestionMs: clock.lastMs },
      };
      const verdict: GroupVerdict = {
        kind: 'settled',
        batches: verdictsOf(plan, commit),
        commit: { changes, clock: clockAfter(clock, commit) },
      };
      const lanes = newLanes(commit);
      try {
        await transaction.commit(callsFor(commit, plan, newBodies(plan, commit), lanes.values()));
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

/** Bodies without a row, of ids with changes: new ones, and those of which everything was pruned. */
function newBodies({ ids }: CommitPlan, { changes, ingestionMs }: Commit): BodyRow[] {
  const changed = new Set<Hex>();
  for (const { kind, record } of changes)
    if (kind === 'message' || kind === 'verifierResult') changed.add(record.messageId);
  const rows: BodyRow[] = [];
  for (const { messageId, known, body, bodyHash } of ids)
    if (changed.has(messageId) && (!known || known.isBodyPruned) && body && bodyHash)
      rows.push({ messageId, firstMs: known?.firstMs ?? ingestionMs, hash: bodyHash, content: body });
  return rows;
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
