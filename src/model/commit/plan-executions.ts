import type { ExecutionOrphaning, WriteOutcome } from '../batch.js';
import { executionIdentity, logIdentity, logOf } from '../identity.js';
import { executionPayloadHash } from '../payload.js';
import type { Conflict, Execution } from '../records.js';
import type { PlannedExecution } from './commit-plan.js';
import { sameExecution } from './equality.js';
import type { Known } from './known.js';

/** What becomes of a given execution, and the conflict when it is one. */
type Planned = {
  readonly outcome: WriteOutcome['executions'][number];
  readonly conflict?: Conflict;
};

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
  add(given: Execution): Planned {
    const identity = executionIdentity(given);
    const found = this.#find(identity, logOf(given));
    if (!found) {
      this.#planned.set(identity, { known: undefined, execution: given, orphaned: false });
      return { outcome: 'inserted' };
    }
    const { execution } = found;
    if (!sameExecution(execution, given)) return { outcome: 'conflict', conflict: conflictOf(execution, given) };
    if (!found.orphaned) return { outcome: 'duplicate' };
    this.#planned.set(identity, { ...found, orphaned: false });
    return { outcome: 'returned' };
  }

  /** True when the log was told and not orphaned. */
  orphan(log: ExecutionOrphaning): boolean {
    const identity = logIdentity(log);
    const found = this.#find(identity, log);
    if (!found || found.orphaned) return false;
    this.#planned.set(identity, { ...found, orphaned: true });
    return true;
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
