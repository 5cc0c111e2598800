import type { Common } from '../../../core/common.js';
import { ClosedError } from '../../../core/errors.js';
import type { Hex } from '../../../core/hex.js';
import { mapInParallel } from '../../../core/parallel.js';
import type { ChangeSet, WriteBatch, WriteOutcome } from '../../../model/batch.js';
import { applyChange } from '../../memory/apply-changes.js';
import { commitPlan } from '../../memory/commit-plan.js';
import { planCommit } from '../../memory/plan-commit.js';
import { RecordStore } from '../../memory/record-store.js';
import type { NamespaceView } from '../namespace/view.js';
import type { LedgerReads } from '../read/ledger-reads.js';
import type { Lookup } from '../read/lookup.js';
import { LEDGER_ROWS } from '../rows/ledger.js';
import { ChangeBuffer } from './change-buffer.js';
import type { Committer } from './committer.js';

const GROUP_BATCHES = 256;
const GROUP_RECORDS = 20_000;
const PARALLEL_LOOKUPS = 16;

interface Entry {
  readonly batch: WriteBatch;
  readonly resolve: (outcome: WriteOutcome) => void;
  readonly reject: (error: unknown) => void;
}

type Verdict = { readonly ok: true; readonly outcome: WriteOutcome } | { readonly ok: false; readonly error: unknown };

interface Plan {
  readonly verdicts: readonly Verdict[];
  /** Null when nothing changes. */
  readonly changes: ChangeSet | null;
}

/**
 * Commits batches, for a storage that is the leader. Batches that arrive while a group is committed are the next
 * group; each batch of a group is a commit of its own, with its own ingestion time. The effect of a batch is planned
 * over a small memory store, loaded with the records of the ids in the group.
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

  /** A checked batch. @throws CursorConflictError, ClosedError, and the errors of a flush. */
  write(batch: WriteBatch): Promise<WriteOutcome> {
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
        return buffer;
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

  async #plan(base: NamespaceView, batches: readonly WriteBatch[]): Promise<Plan> {
    const readMs = this.#common.clock.nowMs();
    const [store, isKnown] = await Promise.all([this.#load(base, batches), this.#ledger.knownTest(base)]);
    let [ingestionMs, throughPosition, movePosition] = [base.headMs, base.position, base.movePosition];
    const verdicts = batches.map((batch): Verdict => {
      const commitMs = Math.max(ingestionMs + 1, readMs);
      try {
        const plan = planCommit(store, batch, commitMs, () => commitMs);
        const news = {
          ...plan,
          conflicts: plan.conflicts.filter((conflict) => {
            const change = {
              kind: 'conflict',
              position: 0n,
              record: { ...conflict, ingestionMs: 0, position: 0n },
            } as const;
            return !isKnown('conflict', LEDGER_ROWS.keyOf(change).identity);
          }),
          quarantine: plan.quarantine.filter((entry) => {
            const change = {
              kind: 'quarantine',
              position: 0n,
              record: { ...entry, ingestionMs: 0, position: 0n },
            } as const;
            return !isKnown('quarantine', LEDGER_ROWS.keyOf(change).identity);
          }),
        };
        const done = commitPlan(store, news, commitMs, throughPosition);
        if (done.throughPosition === throughPosition)
          return { ok: true, outcome: { ...plan.outcome, committed: null } };
        [ingestionMs, throughPosition] = [commitMs, done.throughPosition];
        if (done.movePosition > movePosition) movePosition = done.movePosition;
        return { ok: true, outcome: { ...plan.outcome, committed: { ingestionMs, throughPosition } } };
      } catch (error) {
        return { ok: false, error };
      }
    });
    if (throughPosition === base.position) return { verdicts, changes: null };
    const changes: ChangeSet = {
      afterPosition: base.position,
      throughPosition,
      headPosition: throughPosition,
      headMs: ingestionMs,
      headMovePosition: movePosition,
      readMs,
      changes: store.changes(base.position, throughPosition, Number.MAX_SAFE_INTEGER),
    };
    return { verdicts, changes };
  }

  /** A store with everything that is known of the ids and sources in some batches. */
  async #load(base: NamespaceView, batches: readonly WriteBatch[]): Promise<RecordStore> {
    const store = new RecordStore();
    const cursors = await this.#ledger.cursors(base);
    for (const { cursors: moves } of batches)
      for (const { sourceId } of moves ?? []) {
        const cursor = cursors.get(sourceId);
        if (cursor && !store.cursors.has(sourceId)) store.putCursor(cursor);
      }
    await mapInParallel([...idsIn(batches)], PARALLEL_LOOKUPS, async (messageId) => {
      const { message, results } = await this.#lookup.known(base, messageId);
      if (message) applyChange(store, { kind: 'message', position: message.position, record: message }, -1);
      for (const record of results)
        applyChange(store, { kind: 'verifierResult', position: record.position, record }, -1);
    });
    return store;
  }
}

function idsIn(batches: readonly WriteBatch[]): Set<Hex> {
  const ids = new Set<Hex>();
  for (const { orphanings, messages, verifierResults, statuses } of batches)
    for (const records of [orphanings, messages, verifierResults, statuses])
      for (const { messageId } of records ?? []) ids.add(messageId);
  return ids;
}

function takeGroup(queue: Entry[]): Entry[] {
  let records = 0;
  let taken = 0;
  for (const { batch } of queue) {
    records += (batch.messages?.length ?? 0) + (batch.verifierResults?.length ?? 0) + (batch.statuses?.length ?? 0);
    if (taken > 0 && (records > GROUP_RECORDS || taken >= GROUP_BATCHES)) break;
    taken += 1;
  }
  return queue.splice(0, taken);
}
