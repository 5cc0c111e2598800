import type { Common } from '../../../core/common.js';
import { ClosedError } from '../../../core/errors.js';
import type { Hex } from '../../../core/hex.js';
import { mapInParallel } from '../../../core/parallel.js';
import type { ChangeSet, WriteOutcome } from '../../../model/batch.js';
import type { GivenBatch, TakenBatch } from '../../../model/commit/given-batch.js';
import type { Known, KnownId } from '../../../model/commit/known.js';
import { planCommit } from '../../../model/commit/plan-commit.js';
import { type BatchVerdict, changeSetOf, stampCommit, verdictsOf } from '../../../model/commit/stamp-commit.js';
import { conflictIdentity, executionIdentity, logIdentity, quarantineIdentity } from '../../../model/identity.js';
import type { StoredExecution } from '../../../model/records.js';
import type { NamespaceView } from '../namespace/view.js';
import type { LedgerReads } from '../read/ledger-reads.js';
import type { Lookup } from '../read/lookup.js';
import { ledgerIdentity } from '../rows/ledger.js';
import { ChangeBuffer } from './change-buffer.js';
import type { Committer } from './committer.js';

const GROUP_BATCHES = 256;
const GROUP_RECORDS = 20_000;
const PARALLEL_LOOKUPS = 16;

interface Entry {
  readonly batch: TakenBatch;
  readonly resolve: (outcome: WriteOutcome) => void;
  readonly reject: (error: unknown) => void;
}

interface Plan {
  readonly verdicts: readonly BatchVerdict[];
  /** Null when nothing changes. */
  readonly changes: ChangeSet | null;
}

/**
 * Commits batches, for a storage that is the leader. Batches that arrive while a group is committed are the next group,
 * which is one commit.
 */
export class Leader {
  readonly #name: string;
  readonly #common: Common;
  readonly #writer: Committer;
  readonly #lookup: Lookup;
  readonly #ledger: LedgerReads;
  readonly #committed: (changes: ChangeSet) => void;
  readonly #queue: Entry[] = [];
  #running: Promise<void> | null = null;
  #closed = false;

  constructor(parts: {
    readonly name: string;
    readonly common: Common;
    readonly writer: Committer;
    readonly lookup: Lookup;
    readonly ledger: LedgerReads;
    /** Told of every commit before the writers whose batches it holds. */
    readonly committed: (changes: ChangeSet) => void;
  }) {
    this.#name = parts.name;
    this.#common = parts.common;
    this.#writer = parts.writer;
    this.#lookup = parts.lookup;
    this.#ledger = parts.ledger;
    this.#committed = parts.committed;
  }

  /** @throws CursorConflictError, ClosedError, and the errors of a flush. */
  write(batch: TakenBatch): Promise<WriteOutcome> {
    if (this.#closed) return Promise.reject(new ClosedError(`storage ${this.#name}`));
    return new Promise((resolve, reject) => {
      this.#queue.push({ batch, resolve, reject });
      this.#running ??= this.#drain();
    });
  }

  /** Refuses new batches, waits for those under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #drain(): Promise<void> {
    // batches offered in this turn of the event loop share the first group
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#commitGroup(takeGroup(this.#queue));
    this.#running = null;
  }

  async #commitGroup(group: readonly Entry[]): Promise<void> {
    try {
      let plan: Plan | undefined;
      await this.#writer.write(async (base) => {
        plan = await this.#plan(
          base,
          group.map(({ batch }) => batch),
        );
        if (plan.changes === null) return null;
        const buffer = new ChangeBuffer(this.#name);
        buffer.committed(base);
        buffer.add(plan.changes);
        const content = buffer.contentAbove(base.position);
        return content && { content, rewriteBytes: Number.POSITIVE_INFINITY };
      });
      if (plan?.changes) this.#committed(plan.changes);
      for (const [index, { resolve, reject }] of group.entries()) {
        const verdict = plan?.verdicts[index];
        if (verdict?.ok) resolve(verdict.outcome);
        else reject(verdict?.error);
      }
    } catch (thrown) {
      for (const { reject } of group) reject(thrown);
    }
  }

  async #plan(base: NamespaceView, batches: readonly GivenBatch[]): Promise<Plan> {
    const readMs = this.#common.clock.nowMs();
    const plan = planCommit(await this.#load(base, batches), batches);
    if (plan.kind === 'lacking') throw new TypeError('a commit lacks records that were loaded whole');
    const commit = stampCommit(plan, Math.max(base.headMs + 1, readMs), base);
    const isChange = commit.changes.length > 0;
    return {
      verdicts: verdictsOf(plan, isChange ? commit : null),
      changes: isChange ? changeSetOf(commit, base.position, readMs) : null,
    };
  }

  /** Everything that is known of the ids and sources in some batches. */
  async #load(base: NamespaceView, batches: readonly GivenBatch[]): Promise<Known> {
    const [cursors, isKnown] = await Promise.all([this.#ledger.cursors(base), this.#ledger.knownTest(base)]);
    const ids = new Map<Hex, KnownId>();
    await mapInParallel([...idsIn(batches)], PARALLEL_LOOKUPS, async (messageId) => {
      const { message, results } = await this.#lookup.known(base, messageId);
      const body = message ?? results[0];
      if (body) ids.set(messageId, { firstMs: body.firstMs, body, message: message ?? undefined, results });
    });
    const executions = new Map<string, StoredExecution>();
    await mapInParallel([...executionIdsIn(batches)], PARALLEL_LOOKUPS, async (messageId) => {
      for (const each of await this.#lookup.executions(base, messageId)) executions.set(executionIdentity(each), each);
    });
    return {
      id: (messageId) => ids.get(messageId),
      execution: (log) => executions.get(logIdentity(log)),
      cursor: (sourceId) => cursors.get(sourceId),
      lease: () => undefined,
      hasQuarantine: (entry) => isKnown('quarantine', ledgerIdentity(quarantineIdentity(entry))),
      hasConflict: (conflict) => isKnown('conflict', ledgerIdentity(conflictIdentity(conflict))),
    };
  }
}

function idsIn(batches: readonly GivenBatch[]): Set<Hex> {
  const ids = new Set<Hex>();
  for (const { orphanings, messages, verifierResults, statuses } of batches)
    for (const records of [orphanings, messages, verifierResults, statuses])
      for (const { messageId } of records ?? []) ids.add(messageId);
  return ids;
}

function executionIdsIn(batches: readonly GivenBatch[]): Set<Hex> {
  const logs = batches.flatMap(({ executions = [], executionOrphanings = [] }) => [
    ...executions,
    ...executionOrphanings,
  ]);
  return new Set(logs.map(({ messageId }) => messageId));
}

function takeGroup(queue: Entry[]): Entry[] {
  let records = 0;
  let taken = 0;
  for (const { batch } of queue) {
    records += batch.records;
    if (taken > 0 && (records > GROUP_RECORDS || taken >= GROUP_BATCHES)) break;
    taken += 1;
  }
  return queue.splice(0, taken);
}
