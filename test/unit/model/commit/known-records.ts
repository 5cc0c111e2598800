import type { Hex } from '../../../../src/core/hex.js';
import type { Change, WriteBatch } from '../../../../src/model/batch.js';
import type { CommitPlan } from '../../../../src/model/commit/commit-plan.js';
import type { GivenBatch } from '../../../../src/model/commit/given-batch.js';
import type { Known, KnownId, Lacking } from '../../../../src/model/commit/known.js';
import { planCommit } from '../../../../src/model/commit/plan-commit.js';
import { type BatchVerdict, type Commit, stampCommit, verdictsOf } from '../../../../src/model/commit/stamp-commit.js';
import { changedRecord, conflictIdentity, logIdentity, quarantineIdentity } from '../../../../src/model/identity.js';

/** All that was committed: of each record the last change. */
export class KnownRecords implements Known {
  readonly changes: ReadonlyMap<string, Change>;
  readonly position: bigint;
  readonly #ids = new Map<Hex, KnownId>();

  constructor(changes: ReadonlyMap<string, Change> = new Map(), position = 0n) {
    this.changes = changes;
    this.position = position;
    for (const { kind, record } of changes.values()) {
      if (kind !== 'message' && kind !== 'verifierResult') continue;
      const known = this.#ids.get(record.messageId) ?? {
        ...{ firstMs: record.firstMs, body: record, message: undefined, results: [] },
      };
      this.#ids.set(record.messageId, {
        ...known,
        ...(kind === 'message' ? { message: record } : { results: [...known.results, record] }),
      });
    }
  }

  id(messageId: Hex): KnownId | undefined {
    return this.#ids.get(messageId);
  }
  execution(log: Parameters<Known['execution']>[0]) {
    const change = this.changes.get(`execution ${logIdentity(log)}`);
    return change?.kind === 'execution' ? change.record : undefined;
  }
  cursor(sourceId: string) {
    const change = this.changes.get(`cursor ${sourceId}`);
    return change?.kind === 'cursor' ? change.record : undefined;
  }
  lease(): undefined {
    return undefined;
  }
  hasQuarantine(entry: Parameters<Known['hasQuarantine']>[0]): boolean {
    return this.changes.has(`quarantine ${quarantineIdentity(entry)}`);
  }
  hasConflict(conflict: Parameters<Known['hasConflict']>[0]): boolean {
    return this.changes.has(`conflict ${conflictIdentity(conflict)}`);
  }

  after(commit: Commit): KnownRecords {
    const changes = new Map(this.changes);
    for (const change of commit.changes) changes.set(changedRecord(change), change);
    return new KnownRecords(changes, commit.throughPosition);
  }
}

/** A group of batches, committed over a state. */
export interface Committed {
  readonly state: KnownRecords;
  readonly commit: Commit;
  readonly verdicts: readonly BatchVerdict[];
}

export function commitAll(state: KnownRecords, batches: readonly WriteBatch[], ingestionMs: number): Committed {
  const plan = planned(planCommit(state, batches));
  const commit = stampCommit(plan, ingestionMs, { position: state.position, movePosition: 0n });
  return { state: state.after(commit), commit, verdicts: verdictsOf(plan, commit) };
}

export function planned(plan: CommitPlan | Lacking): CommitPlan {
  if (plan.kind === 'lacking') throw new Error('the plan lacks something');
  return plan;
}

export function lackingOf(known: Known, batch: GivenBatch): Lacking {
  const plan = planCommit(known, [batch]);
  if (plan.kind === 'planned') throw new Error('the plan lacks nothing');
  return plan;
}
