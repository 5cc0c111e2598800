import type { ExecutionOrphaning, WriteOutcome } from '../batch.js';
import { executionIdentity, logIdentity, logOf } from '../identity.js';
import { executionPayloadHash } from '../payload.js';
import type { Conflict, Execution } from '../records.js';
import type { PlannedExecution } from './commit-plan.js';
import { sameExecution } from './equality.js';
import type { Known } from './known.js';
import type { ConflictPlanner, Progress } from './plan-conflicts.js';

/**
 * The part of a commit's plan that concerns executions. They stand alone: an execution needs no message, and a message
 * that is orphaned leaves its executions as they are, which are those of another chain.
 */
export class ExecutionPlanner {
  readonly #known: Known;
  readonly #planned = new Map<string, PlannedExecution>();

  constructor(known: Known) {
    this.#known = known;
  }

  /** Every execution that a batch has touched. */
  planned(): readonly PlannedExecution[] {
    return [...this.#planned.values()];
  }

  /** The first execution of a log stays; one that was orphaned returns. */
  add(given: Execution, conflicts: ConflictPlanner, progress: Progress): WriteOutcome['executions'][number] {
    const identity = executionIdentity(given);
    const found = this.#find(identity, logOf(given));
    if (found && !sameExecution(found.execution, given)) {
      conflicts.met(conflictOf(found.execution, given), progress);
      return 'conflict';
    }
    if (found && !found.orphaned) return 'duplicate';
    this.#planned.set(identity, { known: found?.known, execution: found?.execution ?? given, orphaned: false });
    progress.changed = true;
    return found ? 'returned' : 'inserted';
  }

  /** Takes effect when the log was told and is not orphaned. */
  orphan(log: ExecutionOrphaning, progress: Progress): void {
    const identity = logIdentity(log);
    const found = this.#find(identity, log);
    if (!found || found.orphaned) return;
    this.#planned.set(identity, { ...found, orphaned: true });
    progress.changed = true;
  }

  #find(identity: string, log: ExecutionOrphaning): PlannedExecution | undefined {
    const planned = this.#planned.get(identity);
    if (planned) return planned;
    const known = this.#known.execution(log);
    if (known === undefined) return undefined;
    const { ingestionMs: _ms, position: _position, orphaned, ...execution } = known;
    return { known, execution, orphaned };
  }
}

function conflictOf(stored: Execution, received: Execution): Conflict {
  return {
    record: 'execution',
    messageId: stored.messageId,
    verifierSourceAddress: '0x',
    verifierDestAddress: '0x',
    storedHash: executionPayloadHash(stored),
    receivedHash: executionPayloadHash(received),
  };
}
