import type { Namespace } from '../connection/namespace.js';
import { statementsOf } from '../connection/statement.js';
import { CCV_HASH, ORIGIN_HASH, prunedIdentity } from '../rows/pruned-hashes.js';

/**
 * Finished messages: `success` or orphaned, and not from a block above every cursor of their chain
 * (`chain:<selector>:…`, unsigned), where a reorg may still take them away. A chain without a watcher has no cursor.
 */
const IS_DONE = `(m.orphaned OR m.status = 1 AND coalesce(m.block_number <= (
    SELECT max(s.height) FROM @source_cursors s WHERE starts_with(s.source_id,
      'chain:' || (CASE WHEN m.source_chain < 0 THEN 18446744073709551616 ELSE 0 END + m.source_chain)::text || ':')
  ), true))`;

/**
 * Results that no unfinished message needs: those of messages that are finished, or not here. A
 * scalar subquery, so that it is one look at the primary key for each result and never a join with all messages.
 */
const IS_RESULT_DONE = `coalesce((SELECT ${IS_DONE} FROM @messages m WHERE m.message_id = r.message_id), true)`;

/** The statements of pruning. Rows are removed by id, so that the trace of an id is written once. */
export function createPruneStatements(namespace: Namespace) {
  const statement = statementsOf(namespace);
  return {
    /** $1 ms, $2 position: raises the floor to the last commit at or below both, unless a follower is in between. */
    raiseFloor: statement(
      'raise_floor',
      `UPDATE @ingest_clock c SET floor_ms = x.ingestion_ms, floor_position = x.through_position
       FROM (SELECT ingestion_ms, through_position FROM @commits
             WHERE ingestion_ms <= $1::bigint AND through_position <= $2::bigint
             ORDER BY through_position DESC LIMIT 1) x
       WHERE c.last_position = c.head_position AND x.through_position > c.floor_position`,
    ),
    /** $1 floor, $2 and $3 end of the last step, $4 limit: ids of records to remove, and their positions. */
    victims: statement(
      'prune_victims',
      `(SELECT 0, m.message_id, m.position FROM @messages m
        WHERE m.position > $2::bigint AND m.position <= $1::bigint AND ${IS_DONE}
        ORDER BY m.position LIMIT $4::bigint)
       UNION ALL
       (SELECT 1, r.message_id, r.position FROM @verifier_results r
        WHERE r.position > $3::bigint AND r.position <= $1::bigint AND ${IS_RESULT_DONE}
        ORDER BY r.position LIMIT $4::bigint)`,
    ),
    /** $1 ids, $2 floor. The ids must be there before the messages write theirs. */
    results: statement(
      'prune_results',
      `WITH gone AS (
         DELETE FROM @verifier_results r WHERE r.message_id = ANY ($1::bytea[]) AND r.position <= $2::bigint
           AND ${IS_RESULT_DONE}
         RETURNING r.message_id, r.verifier_source, r.verifier_dest, ${CCV_HASH} AS ccv_hash
       ), ids AS (
         INSERT INTO @pruned_ids (message_id, first_ms, body_hash, orphaned)
         SELECT b.message_id, b.first_ms, b.body_hash, false FROM @message_bodies b
         WHERE b.message_id IN (SELECT message_id FROM gone)
         ON CONFLICT DO NOTHING
       ), traces AS (
         INSERT INTO @pruned_results (identity, ccv_hash) SELECT ${prunedIdentity('g')}, g.ccv_hash FROM gone g
         ON CONFLICT (identity) DO UPDATE SET ccv_hash = excluded.ccv_hash
       )
       SELECT count(*) FROM gone`,
    ),
    messages: statement(
      'prune_messages',
      `WITH gone AS (
         DELETE FROM @messages m WHERE m.message_id = ANY ($1::bytea[]) AND m.position <= $2::bigint AND ${IS_DONE}
         RETURNING m.message_id, m.status, m.orphaned,
           CASE WHEN m.block_number IS NOT NULL THEN ${ORIGIN_HASH} END AS origin_hash
       ), ids AS (
         INSERT INTO @pruned_ids (message_id, first_ms, body_hash, status, orphaned, origin_hash)
         SELECT b.message_id, b.first_ms, b.body_hash, g.status, g.orphaned, g.origin_hash
         FROM gone g JOIN @message_bodies b ON b.message_id = g.message_id
         ON CONFLICT (message_id) DO UPDATE SET status = excluded.status, orphaned = excluded.orphaned,
           origin_hash = excluded.origin_hash
       )
       SELECT count(*) FROM gone`,
    ),
    bodies: statement(
      'prune_bodies',
      `DELETE FROM @message_bodies b WHERE b.message_id = ANY ($1::bytea[])
         AND NOT EXISTS (SELECT FROM @messages m WHERE m.message_id = b.message_id)
         AND NOT EXISTS (SELECT FROM @verifier_results r WHERE r.message_id = b.message_id)`,
    ),
    /** $1 floor, $2 limit. */
    commits: statement(
      'prune_commits',
      `WITH gone AS (
         DELETE FROM @commits WHERE through_position IN (
           SELECT through_position FROM @commits WHERE through_position < $1::bigint ORDER BY 1 LIMIT $2::bigint)
         RETURNING 1
       ) SELECT count(*) FROM gone`,
    ),
    /** $1 ms of the floor, $2 limit of each list and level. Nothing is told from blocks below the floor. */
    counts: statement(
      'prune_counts',
      `WITH gone AS (
         DELETE FROM @list_counts c USING (VALUES (0), (1)) r (record)
           CROSS JOIN (VALUES (0), (1), (2), (3)) l (level)
           CROSS JOIN LATERAL (
             SELECT x.block FROM @list_counts x
             WHERE x.record = r.record AND x.level = l.level AND x.block < ($1::bigint + 1) >> (8 * (l.level + 1))
             ORDER BY x.block LIMIT $2::bigint
           ) b
         WHERE c.record = r.record AND c.level = l.level AND c.block = b.block
         RETURNING 1
       ) SELECT count(*) FROM gone`,
    ),
    moves: statement('prune_moves', 'DELETE FROM @moves WHERE position <= $1::bigint'),
  };
}
