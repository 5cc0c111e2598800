import { assertNever } from '../../../core/errors.js';
import type { Change } from '../../../model/batch.js';
import { identityOfChange, logOf, type RecordRef } from '../../../model/identity.js';
import type { ListedKind } from '../../../model/list-kinds.js';
import { MendRefusedError } from '../../../model/storage-errors.js';
import type { Mendable, Mending } from '../../mendable.js';
import type { ClockRow } from '../clock/clock-row.js';
import type { ClockWriter } from '../clock/clock-writer.js';
import type { Namespace } from '../connection/namespace.js';
import { type Statement, statementsOf } from '../connection/statement.js';
import { type Call, type CopyCall, UnknownOutcomeError } from '../connection/transaction.js';
import type { TransactionRunner } from '../connection/transaction-runner.js';
import { COUNTED, moveCounts } from '../counts/count-changes.js';
import { hashIdentity } from '../rows/identity-hash.js';
import type { RecordWriter } from './record-writer.js';
import type { StateReader } from './state-reader.js';
import { takenOver } from './taken-over.js';

const ATTEMPTS = 3;

/** Puts single records of a follower right, under the clock lock; see `Mendable`. */
export function createMender({
  name,
  namespace,
  runner,
  reader,
  records,
  clockWriter,
}: {
  readonly name: string;
  readonly namespace: Namespace;
  readonly runner: TransactionRunner;
  readonly reader: StateReader;
  readonly records: RecordWriter;
  readonly clockWriter: ClockWriter;
}): Mendable['mend'] {
  const sql = createStatements(namespace);

  /** Removed first: its row may stand at a later position, another row at its own, and its body may be another. */
  function* put(change: Change): Generator<Call | CopyCall, void, void> {
    yield { statement: sql[change.kind].one, values: keyOf(change) };
    yield { statement: sql[change.kind].at, values: [change.position] };
    if (change.kind === 'message' || change.kind === 'verifierResult')
      yield { statement: sql.body, values: [bytes(change.record.messageId)] };
    yield* takenOver(records, [change], []);
  }

  function* remove(ref: RecordRef): Generator<Call | CopyCall, void, void> {
    yield { statement: sql[ref.kind].one, values: keyOf(ref) };
    if (ref.kind === 'message' || ref.kind === 'verifierResult')
      yield { statement: sql.unusedBody, values: [bytes(ref.record.messageId)] };
  }

  function callsFor(mending: Mending, { lastPosition, floorPosition }: ClockRow): Iterable<Call | CopyCall> | null {
    if (mending.what === 'remove') return remove(mending.ref);
    const { change } = mending;
    // a cursor is never pruned, the other kinds are told by the tier that the past was left to
    const isPruned = change.kind !== 'cursor' && change.position <= floorPosition;
    return change.position > lastPosition || isPruned ? null : put(change);
  }

  async function once(ask: Parameters<Mendable['mend']>[0]): Promise<boolean> {
    return await runner.write('mend record', async (transaction) => {
      const clock = await reader.lock(transaction);
      if (!clock.handedOver && (await clockWriter.hasOwnAfter(transaction, 0n))) throw new MendRefusedError(name);
      const mending = await ask(clock.lastPosition);
      const calls = mending && callsFor(mending, clock);
      if (!calls) return false;
      await transaction.commit(calls);
      return true;
    });
  }

  return async (ask) => {
    for (let attempt = 1; ; attempt += 1)
      try {
        return await once(ask);
      } catch (thrown) {
        // mended twice is mended
        if (!(thrown instanceof UnknownOutcomeError) || attempt >= ATTEMPTS) throw thrown;
      }
  };
}

function createStatements(namespace: Namespace) {
  const statement = statementsOf(namespace);
  const listed = (
    kind: ListedKind,
    table: string,
    one: string,
  ): { readonly one: Statement; readonly at: Statement } => {
    const remove = (where: string) =>
      `WITH gone AS (DELETE FROM @${table} WHERE ${where} RETURNING ingestion_ms, orphaned)
       ${moveCounts(`SELECT ${COUNTED[kind]}, ingestion_ms, -1 FROM gone WHERE NOT orphaned`)}`;
    return {
      one: statement(`remove_${table}`, remove(one)),
      at: statement(`remove_${table}_at`, remove('position = $1::bigint')),
    };
  };
  const of = (table: string, one: string): { readonly one: Statement; readonly at: Statement } => ({
    one: statement(`remove_${table}`, `DELETE FROM @${table} WHERE ${one}`),
    at: statement(`remove_${table}_at`, `DELETE FROM @${table} WHERE position = $1::bigint`),
  });
  return {
    message: listed('message', 'messages', 'message_id = $1::bytea'),
    verifierResult: listed(
      'verifierResult',
      'verifier_results',
      'message_id = $1::bytea AND verifier_source = $2::bytea AND verifier_dest = $3::bytea',
    ),
    execution: of('executions', 'message_id = $1::bytea AND block_hash = $2::bytea AND log_index = $3::bigint'),
    cursor: of('source_cursors', 'source_id = $1::text'),
    quarantine: of('quarantine', 'identity = $1::bytea'),
    conflict: of('conflicts', 'identity = $1::bytea'),
    body: statement('remove_body', 'DELETE FROM @message_bodies WHERE message_id = $1::bytea'),
    unusedBody: statement(
      'remove_unused_body',
      `DELETE FROM @message_bodies b WHERE b.message_id = $1::bytea
         AND NOT EXISTS (SELECT FROM @messages m WHERE m.message_id = b.message_id)
         AND NOT EXISTS (SELECT FROM @verifier_results r WHERE r.message_id = b.message_id)`,
    ),
  };
}

/** The columns of the primary key. */
function keyOf(ref: RecordRef): Call['values'] {
  switch (ref.kind) {
    case 'message':
      return [bytes(ref.record.messageId)];
    case 'verifierResult':
      return [ref.record.messageId, ref.record.verifierSourceAddress, ref.record.verifierDestAddress].map(bytes);
    case 'execution': {
      const { messageId, blockHash, logIndex } = logOf(ref.record);
      return [bytes(messageId), bytes(blockHash), logIndex];
    }
    case 'cursor':
      return [ref.record.sourceId];
    case 'quarantine':
    case 'conflict':
      return [bytes(hashIdentity(identityOfChange(ref)))];
    default:
      return assertNever(ref, 'kind of record');
  }
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex.slice(2), 'hex');
}
