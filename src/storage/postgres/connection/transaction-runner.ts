import { type Backoff, backoffMs } from '../../../core/backoff.js';
import type { Common } from '../../../core/common.js';
import { ClosedError, IndexerError } from '../../../core/errors.js';
import { counter, histogram } from '../../../core/metrics.js';
import type { Session, SessionPool } from './pool.js';
import type { SentRow } from './sent-row.js';
import type { Sockets } from './sockets.js';
import { classifyFailure, type FailureKind, failureCode, toStorageError } from './sql-errors.js';
import type { Row } from './statement.js';
import { begin, type Call, sendAlone, type Transaction, UnknownOutcomeError } from './transaction.js';

/** Runs work on a database. */
export interface TransactionRunner {
  /** One query in a transaction of its own. It must only read: it is repeated in another session when one fails. */
  read(label: string, call: Call): Promise<readonly Row[]>;
  /** The same; fields are read by the caller. */
  readSent(label: string, call: Call): Promise<readonly SentRow[]>;
  /**
   * Runs `work` in a transaction (read committed), and again from the start after a lost race, or after a lost
   * connection that cannot have committed. A transaction that `work` leaves open is rolled back.
   * @throws UnknownOutcomeError
   */
  write<T>(label: string, work: (transaction: Transaction) => Promise<T>): Promise<T>;
  /** Waits for the work under way, then closes all connections. */
  close(): Promise<void>;
}

const ATTEMPTS = 4;
const BACKOFF: Backoff = { baseMs: 20, maxMs: 1_000 };
const REPEATABLE: ReadonlySet<FailureKind> = new Set(['serialization', 'connection', 'session']);
/** A failure in new sessions is not theirs: for this long the old ones are not tried one by one again. */
const REFUSED_MS = 5_000;

/** An error and the number of its session; none where there was no connection to be had. */
interface Failure {
  readonly kind: FailureKind | null;
  readonly thrown: unknown;
  readonly session: Session | null;
}

/**
 * The only way to the database: a label for each piece of work, its duration and outcome measured, retries where safe.
 *
 * A session that failed is closed, and the work goes on in another. Its fellows may have suffered the same fate
 * (`DISCARD ALL` by a pooler, a switch-over), so those that are as old are gone through without counting, until one
 * that is new says the same.
 */
export function createTransactionRunner({
  pool,
  sockets,
  common,
  name,
  repeatForMs,
}: {
  readonly pool: SessionPool;
  readonly sockets: Sockets;
  readonly common: Common;
  readonly name: string;
  /** Nothing is begun again later than this after its start. */
  readonly repeatForMs: number;
}): TransactionRunner {
  const metrics = createMetrics(common, name);
  const running = new Set<Promise<unknown>>();
  let refused: { readonly code: string | null; readonly untilMs: number } | null = null;
  let closing: Promise<void> | undefined;

  /** @param oldest sessions after this one are new. */
  async function attempt<T>(
    work: (session: Session) => Promise<T>,
    oldest: number | null,
  ): Promise<{ readonly value: T } | Failure> {
    let session: Session | null = null;
    try {
      session = await pool.acquire();
      const value = await work(session);
      pool.release(session, true);
      return { value };
    } catch (thrown) {
      const kind = thrown instanceof IndexerError ? null : classifyFailure(thrown);
      const isLost = kind === 'connection' || thrown instanceof UnknownOutcomeError;
      const isNew = session !== null && oldest !== null && session.number > oldest;
      const isAtFault = kind === 'session' && !isNew && !isRefused(thrown);
      if (session) pool.release(session, !isLost && !isAtFault);
      return { kind, thrown, session };
    }
  }

  function isRefused(thrown: unknown): boolean {
    return refused !== null && refused.code === failureCode(thrown) && common.clock.monotonicMs() < refused.untilMs;
  }

  async function run<T>(label: string, work: (session: Session) => Promise<T>): Promise<T> {
    const attempts = repeat(label, work);
    running.add(attempts);
    try {
      return await attempts;
    } finally {
      running.delete(attempts);
    }
  }

  async function repeat<T>(label: string, work: (session: Session) => Promise<T>): Promise<T> {
    const startedMs = common.clock.monotonicMs();
    const elapsedMs = () => common.clock.monotonicMs() - startedMs;
    const done = (outcome: string) => metrics.done(label, outcome, elapsedMs());
    /** Sessions up to this one are as old as the one that failed first. */
    let oldest: number | null = null;
    for (let retry = 0; ; ) {
      if (closing) throw new ClosedError(`storage ${name}`);
      const outcome = await attempt(work, oldest);
      if ('value' in outcome) {
        done('ok');
        return outcome.value;
      }
      const { kind, thrown, session } = outcome;
      const isItsOwn = kind === 'session' || kind === 'connection';
      if (isItsOwn) oldest ??= pool.made();
      const isOld = isItsOwn && session !== null && session.number <= (oldest ?? 0);
      if (isFinal(outcome, isOld, retry + 1) || elapsedMs() > repeatForMs) {
        done(kind ?? 'refused');
        throw thrown instanceof IndexerError ? thrown : toStorageError(thrown, name, label);
      }
      metrics.retried(label, kind ?? 'refused');
      common.log.debug({ storage: name, label, kind, code: failureCode(thrown), retry }, 'database work is repeated');
      if (isOld) continue;
      await common.clock.sleep(backoffMs(BACKOFF, retry, common.random));
      retry += 1;
    }
  }

  function isFinal({ kind, thrown }: Failure, isOld: boolean, attempts: number): boolean {
    if (kind === null || !REPEATABLE.has(kind)) return true;
    if (kind !== 'session') return !isOld && attempts >= ATTEMPTS;
    if (isRefused(thrown)) return true;
    if (!isOld) refused = { code: failureCode(thrown), untilMs: common.clock.monotonicMs() + REFUSED_MS };
    return !isOld;
  }

  const readSent = (label: string, call: Call) => run(label, (session) => sendAlone(session, call));

  return {
    read: async (label, call) => (await readSent(label, call)).map(({ fields }) => fields),
    readSent,
    write: (label, work) =>
      run(label, async (session) => {
        const transaction = begin(session, name, label);
        try {
          return await work(transaction);
        } finally {
          await transaction.abandon();
        }
      }),
    close() {
      closing ??= Promise.allSettled(running).then(() => sockets.close(() => pool.end()));
      return closing;
    },
  };
}

function createMetrics({ metrics }: Common, storage: string) {
  const duration = histogram(metrics, {
    name: 'indexer_postgres_work_duration_seconds',
    help: 'Time of a piece of database work, its retries included',
    labelNames: ['storage', 'label', 'outcome'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  });
  const retries = counter(metrics, {
    name: 'indexer_postgres_retries_total',
    help: 'Database work repeated after a lost race, a lost connection or a session that was no good any more',
    labelNames: ['storage', 'label', 'reason'],
  });
  return {
    done: (label: string, outcome: string, durationMs: number) =>
      duration.observe({ storage, label, outcome }, durationMs / 1000),
    retried: (label: string, reason: string) => retries.inc({ storage, label, reason }),
  };
}
