import type pg from 'pg';
import { type Backoff, backoffMs } from '../../core/backoff.js';
import type { Common } from '../../core/common.js';
import { ClosedError, IndexerError } from '../../core/errors.js';
import { nextTurn } from '../../core/event-loop.js';
import { counter, histogram } from '../../core/metrics.js';
import { RAW_TYPES } from './pool.js';
import type { Sockets } from './sockets.js';
import { classifyFailure, type FailureKind, failureCode, toStorageError } from './sql-errors.js';
import type { Row, Statement } from './statement.js';

/** One query to send: its parameters are numbers as text, or byte strings, which travel in binary. */
export interface Call {
  readonly statement: Statement;
  readonly values: readonly (Buffer | string | number | bigint | null)[];
}

/**
 * A transaction under way. Queries are sent without waiting for the answers of those before.
 *
 * open → committed | rolled back; a connection lost after COMMIT was sent leaves it unknown which.
 */
export interface Transaction {
  query(statement: Statement, values?: Call['values']): Promise<readonly Row[]>;
  /**
   * Sends the calls, then COMMIT, without waiting for answers. Large calls are sent as they are made: the database works on one while
   * the next is made.
   */
  commit(calls: Iterable<Call>): Promise<void>;
  rollback(): Promise<void>;
}

/** COMMIT was sent and the connection was lost before the answer: it is done, or it is not. Settle it before going on. */
export class UnknownOutcomeError extends IndexerError {
  constructor(label: string, cause: unknown) {
    super('UNKNOWN_OUTCOME', `the connection was lost while ${label} was committing`, true, { cause });
  }
}

/** What the work on a database needs of the runner. */
export interface TransactionRunner {
  /** One query in a transaction of its own. It must only read: it is repeated when the connection is lost. */
  read(label: string, call: Call): Promise<readonly Row[]>;
  /**
   * Runs `work` in a transaction (read committed), and again from the start after a lost race, or after a lost connection
   * that cannot have committed. What `work` leaves open is rolled back.
   * @throws UnknownOutcomeError
   */
  write<T>(label: string, work: (transaction: Transaction) => Promise<T>): Promise<T>;
  /** Waits for what is under way, then closes all connections. */
  close(): Promise<void>;
}

const LARGE_BYTES = 64 * 1024;
const ATTEMPTS = 4;
const BACKOFF: Backoff = { baseMs: 20, maxMs: 1_000 };
const REPEATABLE: ReadonlySet<FailureKind> = new Set(['serialization', 'connection']);

/** The only way to the database: a label for each piece of work, its duration and outcome measured, retries where safe. */
export function createTransactionRunner({
  pool,
  sockets,
  common,
  name,
  maxIdleConnections,
  repeatForMs,
}: {
  readonly pool: pg.Pool;
  readonly sockets: Sockets;
  readonly common: Common;
  readonly name: string;
  readonly maxIdleConnections: number;
  /** Nothing is begun again later than this after its start. */
  readonly repeatForMs: number;
}): TransactionRunner {
  const metrics = createMetrics(common, name);
  const running = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;

  async function attempt<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    let broken = true;
    try {
      const value = await work(client);
      broken = false;
      return value;
    } catch (thrown) {
      broken = thrown instanceof UnknownOutcomeError || classifyFailure(thrown) === 'connection';
      throw thrown;
    } finally {
      client.release(broken || pool.idleCount >= maxIdleConnections);
    }
  }

  async function run<T>(label: string, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const attempts = repeat(label, work);
    running.add(attempts);
    try {
      return await attempts;
    } finally {
      running.delete(attempts);
    }
  }

  async function repeat<T>(label: string, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const startedMs = common.clock.monotonicMs();
    const elapsedMs = () => common.clock.monotonicMs() - startedMs;
    const done = (outcome: string) => metrics.done(label, outcome, elapsedMs());
    for (let retry = 0; ; retry += 1) {
      if (closing) throw new ClosedError(`storage ${name}`);
      try {
        const value = await attempt(work);
        done('ok');
        return value;
      } catch (thrown) {
        const kind = thrown instanceof IndexerError ? null : classifyFailure(thrown);
        if (kind === null || !REPEATABLE.has(kind) || retry + 1 >= ATTEMPTS || elapsedMs() > repeatForMs) {
          done(kind ?? 'refused');
          throw thrown instanceof IndexerError ? thrown : toStorageError(thrown, name, label);
        }
        metrics.retried(label, kind);
        common.log.debug({ storage: name, label, kind, code: failureCode(thrown), retry }, 'database work is repeated');
        await common.clock.sleep(backoffMs(BACKOFF, retry, common.random));
      }
    }
  }

  return {
    read: (label, call) => run(label, (client) => send(client, call)),
    write: (label, work) =>
      run(label, async (client) => {
        const transaction = begin(client, label);
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

/** Worth a turn of the event loop, in which it goes out. */
function isLarge({ values }: Call): boolean {
  return values.some((value) => Buffer.isBuffer(value) && value.length >= LARGE_BYTES);
}

async function send(client: pg.PoolClient, { statement, values }: Call): Promise<readonly Row[]> {
  const parameters = values.map((value) => (typeof value === 'bigint' ? value.toString() : value));
  const { name, text } = statement;
  const result = await client.query<(string | null)[]>({
    ...{ name, text, values: parameters, types: RAW_TYPES },
    rowMode: 'array',
  });
  return result.rows;
}

function begin(client: pg.PoolClient, label: string): Transaction & { abandon(): Promise<void> } {
  let state: 'open' | 'ended' = 'open';
  const begun = client.query('BEGIN');
  // its failure shows in the first query; without this it would also count as unhandled
  begun.catch(() => 'see above');

  async function rollback(): Promise<void> {
    state = 'ended';
    await begun;
    await client.query('ROLLBACK');
  }

  return {
    async query(statement, values = []) {
      const rows = send(client, { statement, values });
      await settled([begun, rows]);
      return await rows;
    },
    async commit(calls) {
      const sent: Promise<unknown>[] = [];
      for (const call of calls) {
        const answer = send(client, call);
        // one that fails while we make the next is thrown below
        answer.catch(() => 'see below');
        sent.push(answer);
        if (isLarge(call)) await nextTurn();
      }
      state = 'ended';
      try {
        const commit = client.query('COMMIT');
        await settled([begun, ...sent, commit]);
        // the server's answer to COMMIT in a transaction that has failed
        if ((await commit).command !== 'COMMIT') throw new TypeError(`${label} committed a failed transaction`);
      } catch (thrown) {
        throw classifyFailure(thrown) === 'connection' ? new UnknownOutcomeError(label, thrown) : thrown;
      }
    },
    rollback,
    async abandon() {
      // a connection that is gone has rolled back by itself; whoever lost it knows already
      if (state === 'open') await rollback().catch(() => 'see above');
    },
  };
}

/** Waits for all, so that nothing of a failed transaction is still on its way, then throws the first failure. */
async function settled(promises: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(promises)) if (outcome.status === 'rejected') throw outcome.reason;
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
    help: 'Database work repeated after a lost race or a lost connection',
    labelNames: ['storage', 'label', 'reason'],
  });
  return {
    done: (label: string, outcome: string, durationMs: number) =>
      duration.observe({ storage, label, outcome }, durationMs / 1000),
    retried: (label: string, reason: string) => retries.inc({ storage, label, reason }),
  };
}
