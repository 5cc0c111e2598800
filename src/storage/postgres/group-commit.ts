import { type Backoff, backoffMs } from '../../core/backoff.js';
import type { Common } from '../../core/common.js';
import { ClosedError } from '../../core/errors.js';
import { nextTurn } from '../../core/event-loop.js';
import type { Hex } from '../../core/hex.js';
import { counter, histogram } from '../../core/metrics.js';
import type { WriteOutcome } from '../batch.js';
import { StorageFailureError, StorageUnavailableError } from '../errors.js';
import type { Recall, Recalled } from '../recall.js';
import type { AdvanceHub } from './advance-hub.js';
import { type BatchVerdict, type GroupVerdict, type GroupWriter, UnsettledCommit } from './group-writer.js';
import type { PreparedBatch } from './prepared-batch.js';
import { classifyFailure } from './sql-errors.js';
import type { TransactionRunner } from './transaction-runner.js';

/** A group is not larger than this, unless a single batch is. */
const GROUP_RECORDS = 2_000;
const GROUP_BYTES = 4 << 20;
/** How long we try to find out what became of a commit. */
const SETTLE_MS = 30_000;
const SETTLE_BACKOFF: Backoff = { baseMs: 50, maxMs: 1_000 };

/** A group meets what it needs recalled after another was pruned at most so often. */
const MOST_RECALLS = 4;

/** Pruned records are needed for a change, and the tier that holds them did not give them. Nothing was stored. */
export class RecallError extends StorageUnavailableError {
  constructor(name: string, ids: ReadonlySet<Hex>, cause?: unknown) {
    super(name, 'recall pruned records', {
      ...(cause === undefined ? {} : { cause }),
      details: { messageIds: [...ids].slice(0, 10) },
    });
  }
}

interface Entry {
  readonly batch: PreparedBatch;
  readonly resolve: (outcome: WriteOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** The queue in front of the clock: what arrives while a group commits is the next group. */
export interface GroupCommit {
  write(batch: PreparedBatch): Promise<WriteOutcome>;
  /** Refuses what comes, waits for what is there. */
  close(): Promise<void>;
}

/**
 * One group at a time:
 *
 * waiting → running → committed (subscribers are told, then the writers) | failed (as a whole, or alone for its values)
 *                   → unsettled (the connection was lost during COMMIT) → committed, or not done: running again
 *
 * A committed group is told of while the database works on the first queries of the next one: telling takes about as long, with memory that
 * follows and writers that prepare their next batches. Measured with records of 2 KB and a full queue: a fifth less time a group.
 *
 * Only while a group is unsettled may its writers wait longer than a transaction takes; a commit is neither repeated nor given up as
 * not done before the database has said which it is.
 */
export function createGroupCommit({
  common,
  name,
  runner,
  writer,
  hub,
  recall,
}: {
  readonly common: Common;
  readonly name: string;
  readonly runner: TransactionRunner;
  readonly writer: GroupWriter;
  readonly hub: AdvanceHub;
  readonly recall: Recall | null;
}): GroupCommit {
  const metrics = createMetrics(common, name);
  const queue: Entry[] = [];
  let running: Promise<void> | null = null;
  let closed = false;

  async function drain(): Promise<void> {
    // batches offered in this turn of the event loop share the first group
    await Promise.resolve();
    let report: (() => void) | null = null;
    while (queue.length > 0) {
      const committing = commitGroup(takeGroup(queue));
      if (report) {
        // by then the group's first queries are sent: the database works on them while we tell of the group before
        await nextTurn();
        report();
      }
      report = await committing;
    }
    report?.();
    running = null;
  }

  /** @returns what is left to do at once: telling everybody. */
  async function commitGroup(group: readonly Entry[]): Promise<() => void> {
    try {
      const verdict = await runSettled(group.map((entry) => entry.batch));
      return () => report(group, verdict);
    } catch (error) {
      // one batch's values must not fail the others: each alone, and only the one at fault fails
      if (group.length > 1 && (isAboutContent(error) || error instanceof RecallError)) {
        for (const entry of group) (await commitGroup([entry]))();
        return () => undefined;
      }
      return () => {
        for (const entry of group) entry.reject(error);
      };
    }
  }

  function report(group: readonly Entry[], { commit, batches }: GroupVerdict): void {
    try {
      if (commit) {
        hub.seen(commit.clock);
        metrics.committed(commit.changes.changes.length, group.length);
        hub.committed(commit.changes);
      }
      for (const [index, entry] of group.entries()) tell(entry, batches[index]);
    } catch (error) {
      for (const entry of group) entry.reject(error);
    }
  }

  /** What was pruned is recalled with no lock held, and the group is then run from the start. */
  async function runSettled(batches: readonly PreparedBatch[]): Promise<GroupVerdict> {
    const recalled = new Map<Hex, Recalled>();
    for (let recalls = 0; ; )
      try {
        const verdict = await runner.write('insert batch', (transaction) => writer.run(transaction, batches, recalled));
        if (!('lacking' in verdict)) return verdict;
        recalls += 1;
        if (recalls > MOST_RECALLS) throw new RecallError(name, verdict.lacking);
        await recallAll(verdict.lacking, recalled);
      } catch (thrown) {
        if (!(thrown instanceof UnsettledCommit)) throw thrown;
        common.log.warn({ storage: name, err: thrown }, 'connection lost during a commit, asking what became of it');
        const done = await settle(thrown);
        metrics.settled(done);
        if (done) return thrown.verdict;
      }
  }

  async function recallAll(ids: ReadonlySet<Hex>, into: Map<Hex, Recalled>): Promise<void> {
    for (const id of ids)
      try {
        if (recall === null) throw new RecallError(name, ids);
        into.set(id, await recall(id));
        metrics.recalled();
      } catch (cause) {
        throw cause instanceof RecallError ? cause : new RecallError(name, ids, cause);
      }
  }

  async function settle(unsettled: UnsettledCommit): Promise<boolean> {
    const deadlineMs = common.clock.monotonicMs() + SETTLE_MS;
    for (let attempt = 0; ; attempt += 1)
      try {
        return await runner.write('settle commit', (transaction) =>
          writer.isDone(transaction, unsettled.throughPosition),
        );
      } catch (cause) {
        if (common.clock.monotonicMs() > deadlineMs)
          throw new StorageUnavailableError(name, 'tell whether a commit was done', {
            cause,
            details: { outcome: 'unknown' },
          });
        await common.clock.sleep(backoffMs(SETTLE_BACKOFF, attempt, common.random));
      }
  }

  return {
    async write(batch) {
      if (closed) throw new ClosedError(`storage ${name}`);
      return await new Promise((resolve, reject) => {
        queue.push({ batch, resolve, reject });
        running ??= drain();
      });
    },
    async close() {
      closed = true;
      await running;
    },
  };
}

function takeGroup(queue: Entry[]): Entry[] {
  let records = 0;
  let sizeBytes = 0;
  let taken = 0;
  for (const { batch } of queue) {
    records += batch.records;
    sizeBytes += batch.sizeBytes;
    if (taken > 0 && (records > GROUP_RECORDS || sizeBytes > GROUP_BYTES)) break;
    taken += 1;
  }
  return queue.splice(0, taken);
}

function tell(entry: Entry, verdict: BatchVerdict | undefined): void {
  if (verdict?.ok) entry.resolve(verdict.outcome);
  else entry.reject(verdict?.error);
}

function isAboutContent(error: unknown): boolean {
  return error instanceof StorageFailureError && classifyFailure(error.cause) === 'content';
}

function createMetrics({ metrics }: Common, storage: string) {
  const records = histogram(metrics, {
    name: 'indexer_postgres_group_records',
    help: 'Changes in a commit',
    labelNames: ['storage'],
    buckets: [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000],
  });
  const batches = counter(metrics, {
    name: 'indexer_postgres_group_batches_total',
    help: 'Batches that shared commits',
    labelNames: ['storage'],
  });
  const unsettled = counter(metrics, {
    name: 'indexer_postgres_unsettled_commits_total',
    help: 'Commits whose answer was lost, by what had become of them',
    labelNames: ['storage', 'outcome'],
  });
  const recalls = counter(metrics, {
    name: 'indexer_postgres_recalls_total',
    help: 'Message ids read back from a colder tier to change pruned records',
    labelNames: ['storage'],
  });
  return {
    recalled: () => recalls.inc({ storage }),
    committed(changes: number, groupSize: number) {
      records.observe({ storage }, changes);
      batches.inc({ storage }, groupSize);
    },
    settled: (done: boolean) => unsettled.inc({ storage, outcome: done ? 'done' : 'not_done' }),
  };
}
