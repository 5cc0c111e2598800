import { type Hex, hexToBytes } from '../../../core/hex.js';
import { checkTransactionHash } from '../../../model/check-batch.js';
import { type HeldTransaction, inLogOrder } from '../../../model/held.js';
import { CLOCK, CLOCK_COLUMNS, CLOCK_WIDTH, checkWhole, decodeClock } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import { type Statement, statementsOf } from '../connection/statement.js';
import { decodeExecution, EXECUTION_COLUMNS } from '../rows/execution-rows.js';
import { decodeMessage, MESSAGE_COLUMNS } from '../rows/record-rows.js';
import type { ReadContext } from './read-context.js';

/** Reads of the records of a transaction, above the floor: a pruned message leaves no trace of its transaction. */
export function createTransactionReads(namespace: Namespace, { read, hub, name }: ReadContext) {
  const statement = statementsOf(namespace);
  const messages = statement(
    'messages_of_transaction',
    `SELECT ${CLOCK_COLUMNS}, ${MESSAGE_COLUMNS}
     FROM ${CLOCK}
     LEFT JOIN (
       @messages m JOIN @message_bodies b ON b.message_id = m.message_id
     ) ON m.transaction_hash = $1::bytea`,
    { binary: true },
  );
  const executions = statement(
    'executions_of_transaction',
    `SELECT ${CLOCK_COLUMNS}, ${EXECUTION_COLUMNS}
     FROM ${CLOCK} LEFT JOIN @executions x ON x.transaction_hash = $1::bytea`,
    { binary: true },
  );

  async function rowsOf(asked: Statement, transactionHash: Hex) {
    const values = [Buffer.from(hexToBytes(transactionHash))];
    const rows = await read('get the records of a transaction', { statement: asked, values });
    const clock = decodeClock(rows[0] ?? []);
    hub.seen(clock);
    checkWhole(clock, name);
    return { clock, rows: rows.filter((row) => row[CLOCK_WIDTH] !== null) };
  }

  return async (transactionHash: Hex): Promise<HeldTransaction> => {
    checkTransactionHash(transactionHash);
    const { clock, rows } = await rowsOf(messages, transactionHash);
    const later = await rowsOf(executions, transactionHash);
    return {
      value: inLogOrder({
        messages: rows.map((row) => decodeMessage(row, CLOCK_WIDTH)),
        executions: later.rows.map((row) => decodeExecution(row, CLOCK_WIDTH)),
      }),
      afterPosition: clock.floorPosition,
      throughPosition: clock.lastPosition,
    };
  };
}
