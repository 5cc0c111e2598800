import type { FiledLane } from '../../filed-lanes.js';
import { CLOCK, CLOCK_COLUMNS, CLOCK_WIDTH } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import { statementsOf } from '../connection/statement.js';
import { toBigint, toBoolean, toSelector } from '../rows/columns.js';
import type { ReadContext } from './read-context.js';

/** Reads the lane columns by which lists with chain filters find a record; see `FiledLanes`. */
export function createLaneReads(
  namespace: Namespace,
  { read }: ReadContext,
): (afterPosition: bigint, throughPosition: bigint) => Promise<ReadonlyMap<bigint, FiledLane>> {
  const part = (table: string) =>
    `SELECT position, source_chain, dest_chain FROM @${table} WHERE position > $1::bigint AND position <= $2::bigint`;
  const statement = statementsOf(namespace)(
    'filed_lanes',
    `SELECT ${CLOCK_COLUMNS}, p.position, p.source_chain, p.dest_chain, l.source_chain IS NOT NULL FROM ${CLOCK}
     LEFT JOIN (${part('messages')} UNION ALL ${part('verifier_results')}) p ON true
     LEFT JOIN @lanes l ON l.source_chain = p.source_chain AND l.dest_chain = p.dest_chain`,
  );
  return async (afterPosition, throughPosition) => {
    const rows = await read('read lanes', { statement, values: [afterPosition, throughPosition] });
    const lanes = new Map<bigint, FiledLane>();
    for (const row of rows)
      if (row[CLOCK_WIDTH] !== null)
        lanes.set(toBigint(row[CLOCK_WIDTH]), {
          sourceChainSelector: toSelector(row[CLOCK_WIDTH + 1]),
          destChainSelector: toSelector(row[CLOCK_WIDTH + 2]),
          isKnown: toBoolean(row[CLOCK_WIDTH + 3]),
        });
    return lanes;
  };
}
