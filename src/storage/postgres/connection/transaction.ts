import { IndexerError } from '../../../core/errors.js';
import { nextTurn } from '../../../core/event-loop.js';
import { StorageUnavailableError } from '../../../model/storage-errors.js';
import { startCopy } from './copy-in.js';
import type { Session } from './pool.js';
import { queryRows } from './row-query.js';
import type { SentRow } from './sent-row.js';
import { classifyFailure, failureCode } from './sql-errors.js';
import type { Row, Statement } from './statement.js';

/** One query to send: its parameters are numbers as text, or byte strings, which travel in binary. */
export interface Call {
  readonly statement: Statement;
  readonly values: readonly (Buffer | string | number | bigint | null)[];
}

/** Rows to send with `COPY … FROM STDIN`: the command, and the messages that carry the rows, made as they are sent. */
export interface CopyCall {
  readonly copy: string;
  readonly messages: Iterable<Buffer>;
}

/**
 * A transaction under way. Queries are sent without waiting for the answers of those before.
 *
 * open → committed | rolled back; a connection lost after COMMIT was sent leaves it unknown which.
 */
export interface Transaction {
  query(statement: Statement, values?: Call['values']): Promise<readonly Row[]>;
  /**
   * Sends the calls, then COMMIT, without waiting for answers. Large calls are sent as they are made: the database
   * works on one while the next is made.
   */
  commit(calls: Iterable<Call | CopyCall>): Promise<void>;
  rollback(): Promise<void>;
}

/** The connection was lost between COMMIT and its answer: the commit is done or not. Settle it before going on. */
export class UnknownOutcomeError extends IndexerError {
  constructor(label: string, cause: unknown) {
    super('UNKNOWN_OUTCOME', `the connection was lost while ${label} was committing`, true, { cause });
  }
}

const LARGE_BYTES = 64 * 1024;
const ROOM =
  'see pg_notification_queue_usage(): near 1, ' +
  'end the session that listens and stays in a transaction (pg_stat_activity)';

/** Sends one query on its own; behind a pooler, in a transaction that brings the settings. */
export async function sendAlone(session: Session, call: Call): Promise<readonly SentRow[]> {
  if (!session.pooled) return await send(session, call);
  const begun = session.client.query(session.begin);
  const rows = send(session, call);
  await settled([begun, rows, session.client.query(session.commit)]);
  return await rows;
}

/** Begins a transaction. @param name the storage's, for errors. */
export function begin(session: Session, name: string, label: string): Transaction & { abandon(): Promise<void> } {
  const { client } = session;
  let state: 'open' | 'ended' = 'open';
  const begun = client.query(session.begin);
  // its failure shows in the first query; without this it would also count as unhandled
  begun.catch(() => 'see above');

  /** One that fails while we make the next is thrown at the end. */
  function note(answer: Promise<unknown>, sent: Promise<unknown>[]): void {
    answer.catch(() => 'see above');
    sent.push(answer);
  }

  async function copy({ copy: text, messages }: CopyCall, sent: Promise<unknown>[]): Promise<void> {
    const copying = startCopy(client, text);
    note(copying.done, sent);
    try {
      for (const message of messages) {
        copying.send(message);
        if (message.length >= LARGE_BYTES) await nextTurn();
      }
    } catch (thrown) {
      copying.fail();
      throw thrown;
    }
  }

  async function rollback(): Promise<void> {
    state = 'ended';
    await begun;
    await client.query('ROLLBACK');
  }

  /**
   * By then the values have been taken: it is the server that had no room, as when the queue of NOTIFY is full. The
   * server frees what every listener has heard when somebody asks how full it is, and, once full, at no other time.
   */
  async function passing(cause: unknown): Promise<StorageUnavailableError> {
    await client.query('SELECT pg_catalog.pg_notification_queue_usage()').catch(() => 'the next attempt shows');
    const details = { kind: 'unavailable', code: failureCode(cause), nextStep: ROOM };
    return new StorageUnavailableError(name, label, { cause, details });
  }

  return {
    async query(statement, values = []) {
      const rows = send(session, { statement, values });
      await settled([begun, rows]);
      return (await rows).map(({ fields }) => fields);
    },
    async commit(calls) {
      const sent: Promise<unknown>[] = [];
      for (const call of calls) {
        if ('copy' in call) {
          await copy(call, sent);
          continue;
        }
        note(send(session, call), sent);
        if (isLarge(call)) await nextTurn();
      }
      state = 'ended';
      const commit = client.query(session.commit);
      let refusal: unknown = null;
      commit.catch((thrown: unknown) => {
        refusal = thrown;
      });
      try {
        await settled([begun, ...sent, commit]);
        // the server's answer to COMMIT in a transaction that has failed
        if ((await commit).command !== 'COMMIT') throw new TypeError(`${label} committed a failed transaction`);
      } catch (thrown) {
        const kind = classifyFailure(thrown);
        if (kind === 'connection') throw new UnknownOutcomeError(label, thrown);
        throw kind === 'content' && thrown === refusal ? await passing(thrown) : thrown;
      }
    },
    rollback,
    async abandon() {
      // a lost connection has rolled back by itself, and its query has told the loss already
      if (state === 'open') await rollback().catch(() => 'see above');
    },
  };
}

async function send({ client, pooled }: Session, { statement, values }: Call): Promise<readonly SentRow[]> {
  const parameters = values.map((value) => (value === null || Buffer.isBuffer(value) ? value : String(value)));
  return await queryRows(client, statement, parameters, !pooled);
}

/** Worth a turn of the event loop, in which it goes out. */
function isLarge({ values }: Call): boolean {
  return values.some((value) => Buffer.isBuffer(value) && value.length >= LARGE_BYTES);
}

/** Waits for all, so that nothing of a failed transaction is still on its way, then throws the first failure. */
async function settled(promises: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(promises)) if (outcome.status === 'rejected') throw outcome.reason;
}
