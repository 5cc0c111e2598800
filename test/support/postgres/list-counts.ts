import { expect } from 'vitest';

/** Counters of lists above the floor that are not the number of listed records in their block. */
const WRONG = (namespace: string) => `
  WITH floor AS (SELECT floor_ms FROM ${namespace}.ingest_clock),
  listed AS (
    SELECT 0 AS record, ingestion_ms FROM ${namespace}.messages WHERE NOT orphaned
    UNION ALL
    SELECT 1, ingestion_ms FROM ${namespace}.verifier_results WHERE NOT orphaned
  ),
  truth AS (
    SELECT record, level, ingestion_ms >> (8 * (level + 1)) AS block, count(*) AS listed
    FROM listed CROSS JOIN generate_series(0, 3) level GROUP BY 1, 2, 3
  )
  SELECT record, level, block, coalesce(t.listed, 0)::int AS listed, coalesce(c.listed, 0)::int AS counted
  FROM truth t FULL JOIN ${namespace}.list_counts c USING (record, level, block)
  WHERE block << (8 * (level + 1)) > (SELECT floor_ms FROM floor) AND coalesce(t.listed, 0) <> coalesce(c.listed, 0)
  ORDER BY 1, 2, 3`;

/** Fails unless the counters of every block above the floor are those of the records there. */
export async function expectExactCounts(
  sql: (text: string) => Promise<{ readonly rows: readonly unknown[] }>,
  namespace = 'ccv',
): Promise<void> {
  const { rows } = await sql(WRONG(namespace));
  expect(rows, 'counters of lists').toEqual([]);
}
