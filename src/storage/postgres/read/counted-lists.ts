import type { ListedKind } from '../../../model/list-kinds.js';
import type { Call } from '../connection/transaction.js';
import { type Blocks, coverOf, LAST_MS } from '../counts/blocks.js';
import { COUNTED } from '../counts/count-changes.js';
import { bigintArray } from '../rows/binary-arrays.js';

/** A list whose counters are read. */
interface CountedList {
  readonly kind: ListedKind;
  readonly table: string;
  readonly order: readonly string[];
}

/** From this offset on the counters find the place: below it, passing over the entries of an index costs less. */
export const DEEP_OFFSET = 300;

/** Number of parameters of an open cover. */
export const OPEN_COVER_WIDTH = 4;

/** The cover of a range: levels, first blocks, blocks behind; the end of the head, the start of the tail. */
export function coverParameters(startMs: number, endMs: number): Call['values'] {
  const { blocks, headBehindMs, tailFromMs } = coverOf(startMs, endMs);
  const column = (of: (each: Blocks) => number) => bigintArray(blocks.map(of));
  const columns = [column(({ level }) => level), column(({ first }) => first), column(({ behind }) => behind)];
  return [...columns, headBehindMs, tailFromMs];
}

/** The cover of everything from `startMs` on: its blocks are in order of time, and it has no tail to be told. */
export function openCoverParameters(startMs: number): Call['values'] {
  return coverParameters(startMs, LAST_MS).slice(0, OPEN_COVER_WIDTH);
}

/** The counters of the blocks of a cover, whose parameters begin at `at`. */
function coveredBlocks(kind: ListedKind, at: number): string {
  return `unnest($${at}::bigint[], $${at + 1}::bigint[], $${at + 2}::bigint[]) r (level, first, behind)
    CROSS JOIN LATERAL (
      SELECT c.level, c.block, c.listed FROM @list_counts c
      WHERE c.record = ${COUNTED[kind]} AND c.level = r.level AND c.block >= r.first AND c.block < r.behind
    ) c`;
}

function rowsText({ table }: CountedList, range: string): string {
  return `SELECT count(*) FROM ${table} t WHERE NOT t.orphaned AND ${range}`;
}

/** The number of records in [$1, $2], by the cover from $3 on: as many counters, and rows of two short ends. */
export function countedText(list: CountedList): string {
  return `(SELECT coalesce(sum(c.listed), 0)::bigint FROM ${coveredBlocks(list.kind, 3)})
    + (${rowsText(list, 't.ingestion_ms >= $1::bigint AND t.ingestion_ms < $6::bigint')})
    + (${rowsText(list, 't.ingestion_ms >= $7::bigint AND t.ingestion_ms <= $2::bigint')})`;
}

/**
 * The rows of the page of [$1, $2] behind $4 records, by the open cover from $5 on. The counters tell the block
 * with the first of them, then its block on each level below. Of the last, 256 ms long, an index tells the commit,
 * which may lie behind the range: only the rows of a commit are read to be passed over.
 */
export function deepPageText(list: CountedList): string {
  const order = list.order.map((column) => `t.${column}`).join(', ');
  const found = (of: string, by: string) => `SELECT f.level, f.block, f.before FROM (${of}) f
    WHERE f.before + f.listed > $4::bigint ORDER BY ${by} LIMIT 1`;
  return `WITH RECURSIVE place AS (
      (${found(
        `SELECT p.level, p.block, p.listed, sum(p.listed) OVER (ORDER BY p.level, p.block)::bigint - p.listed AS before
         FROM (
           SELECT -1::smallint AS level, 0::bigint AS block, h.listed
           FROM (${rowsText(list, 't.ingestion_ms >= $1::bigint AND t.ingestion_ms < $8::bigint')}) h (listed)
           UNION ALL
           SELECT c.level, c.block, c.listed FROM ${coveredBlocks(list.kind, 5)}
         ) p`,
        'f.level, f.block',
      )})
      UNION ALL
      SELECT d.level, d.block, d.before FROM place w CROSS JOIN LATERAL (${found(
        `SELECT c.level, c.block, c.listed,
           w.before + sum(c.listed) OVER (ORDER BY c.block)::bigint - c.listed AS before
         FROM @list_counts c
         WHERE c.record = ${COUNTED[list.kind]} AND c.level = w.level - 1
           AND c.block >= w.block << 8 AND c.block < (w.block + 1) << 8`,
        'f.block',
      )}) d WHERE w.level > 0
    ), start AS (
      SELECT CASE WHEN level < 0 THEN $1::bigint ELSE block << 8 END AS ms, $4::bigint - before AS passed
      FROM place WHERE level <= 0
    ), commit AS (
      SELECT b.ms, count(*) - 1 AS passed FROM (
        SELECT t.ingestion_ms AS ms FROM ${list.table} t
        WHERE NOT t.orphaned AND t.ingestion_ms >= (SELECT ms FROM start)
        ORDER BY t.ingestion_ms LIMIT (SELECT passed + 1 FROM start)
      ) b GROUP BY b.ms ORDER BY b.ms DESC LIMIT 1
    )
    SELECT t.* FROM ${list.table} t
    WHERE NOT t.orphaned AND t.ingestion_ms >= (SELECT ms FROM commit) AND t.ingestion_ms <= $2::bigint
    ORDER BY ${order} LIMIT $3::bigint OFFSET (SELECT passed FROM commit)`;
}
