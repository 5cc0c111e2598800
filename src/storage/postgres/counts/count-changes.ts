import type { ListedKind } from '../../../model/list-kinds.js';

/** How `list_counts` names the lists. */
export const COUNTED: Readonly<Record<ListedKind, number>> = { message: 0, verifierResult: 1 };

/** Moves the counters of the lists. `changes` selects list, ingestion time, records more or less. */
export function moveCounts(changes: string): string {
  return `INSERT INTO @list_counts AS c (record, level, block, listed)
    SELECT d.record, l.level, d.ms >> (8 * (l.level + 1)), sum(d.more)
    FROM (${changes}) d (record, ms, more) CROSS JOIN (VALUES (0), (1), (2), (3)) l (level)
    GROUP BY 1, 2, 3 HAVING sum(d.more) <> 0 ORDER BY 1, 2, 3
    ON CONFLICT (record, level, block) DO UPDATE SET listed = c.listed + excluded.listed`;
}
