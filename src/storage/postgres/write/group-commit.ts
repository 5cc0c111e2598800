import { type Backoff, backoffMs } from '../../../core/backoff.js';
import type { Common } from '../../../core/common.js';
import { ClosedError } from '../../../core/errors.js';
import { nextTurn } from '../../../core/event-loop.js';
import type { Hex } from '../../../core/hex.js';
import { counter, histogram } from '../../../core/metrics.js';
import type { WriteOutcome } from '../../../model/batch.js';
import type { TakenBatch } from '../../../model/commit/given-batch.js';
import type { BatchVerdict } from '../../../model/commit/stamp-commit.js';
import type { Recall, Recalled } from '../../../model/recall.js';
import { StorageFailureError, StorageUnavailableError } from '../../../model/storage-errors.js';
import type { AdvanceHub } from '../clock/advance-hub.js';
import { classifyFailure } from '../connection/sql-errors.js';
import type { TransactionRunner } from '../connection/transaction-runner.js';
import { type GroupVerdict, type GroupWriter, type RecallWish, UnsettledCommit } from './group-writer.js';

/** A group is not larger than this, unless a single batch is. */
const GROUP_RECORDS = 2_000;
const GROUP_BYTES = 4 << 20;
/** How long the outcome of a commit is asked for. */
const SETTLE_MS = 30_000;
const SETTLE_BACKOFF: Backoff = { baseMs: 50, maxMs: 1_000 };

/** Most recalls of one batch: while it recalls, more of its records can be pruned. */
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
  readonly batch: TakenBatch;
  readonly resolve: (outcome: WriteOutcome) => void;
  readonly reject: (error: unknown) => void;
  /** The recalled records, by id. */
  readonly recalled: Map<Hex, Recalled>;
  recalls: number;
}

/** The queue in front of the clock: batches that arrive while a group commits are the next group. */
export interface GroupCommit {
  write(batch: TakenBatch): Promise<WriteOutcome>;
  /** Refuses new batches, waits for those in the queue. */
  close(): Promise<void>;
}

/**
 * One group at a time:
 *
 * waiting → running → committed (subscribers are told, then the writers) | failed (as a whole, or alone for its values)
 *                   → unsettled (the connection was lost during COMMIT) → committed, or not done: running again
 *                   → lacking (a change of a pruned record) → the batch alone is recalling → waiting again
 *
 * A colder tier can take long to give pruned records, or hang: the batch that needs them leaves the queue meanwhile, so
 * that no other waits behind it.
 *
 * A committed group is told of while the database works on the first queries of the next one: telling takes about as
 * long, with memory that follows and writers that prepare their next batches. Measured with records of 2 KB and a full
 * queue: a fifth less time a group.
 *
 * Only while a group is unsettled may its writers wait longer than a transaction takes; a commit is neither repeated
 * nor given up as not done before the database has said which it is.
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
  const recalling = new Set<Promise<void>>();
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

  /** @returns the rest, to be done at once: it tells subscribers and writers. */
  async function commitGroup(group: readonly Entry[]): Promise<() => void> {
    try {
      const verdict = await runSettled(group);
      if (verdict.kind === 'settled') return () => report(group, verdict);
      if (group.length > 1) return await commitEach(group);
      for (const entry of group) startRecall(entry, verdict.lacking);
      return () => undefined;
    } catch (error) {
      // one batch's values must not fail the others: each alone, and only the one at fault fails
      if (group.length > 1 && isAboutContent(error)) return await commitEach(group);
      return () => {
        for (const entry of group) entry.reject(error);
      };
    }
  }

  async function commitEach(group: readonly Entry[]): Promise<() => void> {
    for (const entry of group) (await commitGroup([entry]))();
    return () => undefined;
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

  async function runSettled(group: readonly Entry[]): Promise<GroupVerdict | RecallWish> {
    const batches = group.map(({ batch }) => batch);
    const recalled = new Map(group.flatMap((entry) => [...entry.recalled]));
    for (;;)
      try {
        return await runner.write('insert batch', (transaction) => writer.run(transaction, batches, recalled));
      } catch (thrown) {
        if (!(thrown instanceof UnsettledCommit)) throw thrown;
        common.log.warn({ storage: name, err: thrown }, 'connection lost during a commit, asking what became of it');
        const done = await settle(thrown);
        metrics.settled(done);
        if (done) return thrown.verdict;
      }
  }

  /** Offers the batch again with the records that it lacked. No lock is held meanwhile. */
  function startRecall(entry: Entry, ids: ReadonlySet<Hex>): void {
    const done = recallAll(entry, ids)
      .then(() => offer(entry), entry.reject)
      .finally(() => recalling.delete(done));
    recalling.add(done);
  }

  async function recallAll(entry: Entry, ids: ReadonlySet<Hex>): Promise<void> {
    entry.recalls += 1;
    if (recall === null || entry.recalls > MOST_RECALLS) throw new RecallError(name, ids);
    for (const id of ids)
      try {
        entry.recalled.set(id, await recall(id));
        metrics.recalled();
      } catch (cause) {
        throw new RecallError(name, ids, cause);
      }
  }

  function offer(entry: Entry): void {
    queue.push(entry);
    running ??= drain();
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
        offer({ batch, resolve, reject, recalled: new Map(), recalls: 0 });
      });
    },
    async close() {
      closed = true;
      while (running || recalling.size > 0) await Promise.all([running, ...recalling]);
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
