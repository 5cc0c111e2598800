import { type Hex, hexToBytes } from '../../../core/hex.js';
import { checkId } from '../../../model/check-batch.js';
import { comparePlaces } from '../../../model/order.js';
import type { StoredExecution } from '../../../model/records.js';
import { CLOCK, CLOCK_COLUMNS, CLOCK_WIDTH, checkWhole, decodeClock } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import { type Statement, statementsOf } from '../connection/statement.js';
import type { Call } from '../connection/transaction.js';
import { fromSelector } from '../rows/columns.js';
import { decodeExecution, EXECUTION_COLUMNS } from '../rows/execution-rows.js';
import { MAX_BLOCK } from './message-reads.js';
import type { ReadContext } from './read-context.js';

/** Reads of executions, which are never pruned. */
export interface ExecutionReads {
  ofMessage(messageId: Hex): Promise<readonly StoredExecution[]>;
  aboveBlock(destChainSelector: bigint, afterBlock: bigint, throughBlock?: bigint): Promise<readonly StoredExecution[]>;
}

export function createExecutionReads(namespace: Namespace, { read, hub, name }: ReadContext): ExecutionReads {
  const statement = statementsOf(namespace);
  const text = (condition: string) =>
    `SELECT ${CLOCK_COLUMNS}, ${EXECUTION_COLUMNS} FROM ${CLOCK} LEFT JOIN @executions x ON ${condition}`;
  const ofMessage = statement('get_executions', text('x.message_id = $1::bytea'), { binary: true });
  const aboveBlock = statement(
    'executions_above_block',
    `${text(
      'x.dest_chain = $1::bigint AND x.block_number > $2::bigint AND x.block_number <= $3::bigint AND NOT x.orphaned',
    )} ORDER BY x.block_number, x.log_index, x.message_id`,
    { binary: true },
  );

  async function executions(label: string, asked: Statement, values: Call['values']) {
    const rows = await read(label, { statement: asked, values });
    const clock = decodeClock(rows[0] ?? []);
    hub.seen(clock);
    checkWhole(clock, name);
    return rows.filter((row) => row[CLOCK_WIDTH] !== null).map((row) => decodeExecution(row, CLOCK_WIDTH));
  }

  return {
    async ofMessage(messageId) {
      checkId(messageId, 'messageId');
      const found = await executions('get executions', ofMessage, [Buffer.from(hexToBytes(messageId))]);
      return found.sort(comparePlaces);
    },
    aboveBlock: (destChainSelector, afterBlock, throughBlock = MAX_BLOCK) =>
      executions('query executions above a block', aboveBlock, [
        fromSelector(destChainSelector),
        afterBlock,
        throughBlock,
      ]),
  };
}
