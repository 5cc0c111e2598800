import type { ListedKind } from '../../../model/list-kinds.js';
import type { Namespace } from '../connection/namespace.js';
import { statementsOf } from '../connection/statement.js';
import { COUNTED, moveCounts } from '../counts/count-changes.js';
import { EXECUTION_COLUMNS } from '../rows/execution-rows.js';

/** In the order of `record-values.ts` and `record-copies.ts`. */
export const MESSAGE_COLUMNS = `message_id, source_chain, dest_chain, ingestion_ms, position, status, orphaned,
  block_number, block_hash, block_timestamp_ms, transaction_hash, log_index, sender, receiver, token, message_number`;
export const RESULT_COLUMNS = `message_id, verifier_source, verifier_dest, source_chain, dest_chain, ingestion_ms,
  position, attestation_ms, orphaned, verifier_name, ccv_data, verdict, verdict_block`;

/**
 * The statements that write records: each takes an array a column, in the order of `record-values.ts`. An upsert moves
 * the counters of its list by the rows that it changes; an insert leaves them to `listed`.
 */
export function createRecordStatements(namespace: Namespace) {
  const statement = statementsOf(namespace);
  const messages = `INSERT INTO @messages AS t (${MESSAGE_COLUMNS})
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::smallint[],
      $7::boolean[], $8::bigint[], $9::bytea[], $10::bigint[], $11::bytea[], $12::bigint[], $13::bytea[],
      $14::bytea[], $15::bytea[], $16::bigint[])`;
  const results = `INSERT INTO @verifier_results AS t (${RESULT_COLUMNS})
    SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
      $8::bigint[], $9::boolean[], $10::text[], $11::bytea[], $12::smallint[], $13::bigint[])`;
  const isLater = 'WHERE t.position < excluded.position';
  const counted = (kind: ListedKind, table: string, upsert: string, key: readonly string[]) =>
    `WITH before AS (
       SELECT ${key.join(', ')}, ingestion_ms FROM ${table} WHERE message_id = ANY ($1::bytea[]) AND NOT orphaned
     ), after AS (
       ${upsert} RETURNING ${[...key, 'ingestion_ms', 'orphaned'].map((column) => `t.${column}`).join(', ')}
     )
     ${moveCounts(`
       SELECT ${COUNTED[kind]}, a.ingestion_ms, 1 FROM after a WHERE NOT a.orphaned
       UNION ALL
       SELECT ${COUNTED[kind]}, b.ingestion_ms, -1 FROM after a JOIN before b
         ON ${key.map((column) => `b.${column} = a.${column}`).join(' AND ')}`)}`;
  return {
    oneAtATime: statement('lock_backfill', 'SELECT b.position, b.through_position FROM @move_backfill b FOR UPDATE'),
    bodies: statement(
      'write_bodies',
      `INSERT INTO @message_bodies (message_id, first_ms, body_hash, body)
       SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bytea[]) ON CONFLICT DO NOTHING`,
    ),
    lanes: statement(
      'write_lanes',
      `INSERT INTO @lanes (source_chain, dest_chain) SELECT * FROM unnest($1::bigint[], $2::bigint[])
       ON CONFLICT DO NOTHING`,
    ),
    moves: statement(
      'write_moves',
      `INSERT INTO @moves (position, record, message_id, verifier_source, verifier_dest, source_chain, dest_chain,
         old_ms)
       SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bigint[],
         $7::bigint[], $8::bigint[])`,
    ),
    upsertMessages: statement(
      'upsert_messages',
      counted(
        'message',
        '@messages',
        `${messages} ON CONFLICT (message_id) DO UPDATE SET ingestion_ms = excluded.ingestion_ms,
         position = excluded.position, status = excluded.status, orphaned = excluded.orphaned,
         block_number = excluded.block_number, block_hash = excluded.block_hash,
         block_timestamp_ms = excluded.block_timestamp_ms, transaction_hash = excluded.transaction_hash,
         log_index = excluded.log_index ${isLater}`,
        ['message_id'],
      ),
    ),
    upsertResults: statement(
      'upsert_results',
      counted(
        'verifierResult',
        '@verifier_results',
        `${results} ON CONFLICT (message_id, verifier_source, verifier_dest) DO UPDATE SET
         ingestion_ms = excluded.ingestion_ms, position = excluded.position, attestation_ms = excluded.attestation_ms,
         orphaned = excluded.orphaned, verifier_name = excluded.verifier_name, ccv_data = excluded.ccv_data,
         verdict = excluded.verdict, verdict_block = excluded.verdict_block ${isLater}`,
        ['message_id', 'verifier_source', 'verifier_dest'],
      ),
    ),
    listed: statement('count_listed', moveCounts('SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bigint[])')),
    executions: statement(
      'write_executions',
      `INSERT INTO @executions AS t (${EXECUTION_COLUMNS.replaceAll('x.', '')})
       SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
         $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::smallint[], $12::boolean[], $13::bytea[],
         $14::bytea[], $15::bytea[])
       ON CONFLICT (message_id, block_hash, log_index) DO UPDATE SET position = excluded.position,
         orphaned = excluded.orphaned ${isLater}`,
    ),
    quarantine: statement(
      'write_quarantine',
      `INSERT INTO @quarantine (identity, source_id, key, reason, detail, raw, message_id, ingestion_ms, position)
       SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bytea[],
         $8::bigint[], $9::bigint[]) ON CONFLICT (identity) DO NOTHING`,
    ),
    conflicts: statement(
      'write_conflicts',
      `INSERT INTO @conflicts (identity, record, message_id, verifier_source, verifier_dest, stored_hash, received_hash,
         ingestion_ms, position)
       SELECT * FROM unnest($1::bytea[], $2::smallint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[],
         $7::bytea[], $8::bigint[], $9::bigint[]) ON CONFLICT (identity) DO NOTHING`,
    ),
    replacements: statement(
      'write_replacements',
      `INSERT INTO @replacements (replay, message_id, verifier_source, verifier_dest, stored_hash, received_hash,
         attestation_ms, verifier_name, ccv_data, replaced_ms)
       SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[],
         $7::bigint[], $8::text[], $9::bytea[], $10::bigint[])`,
    ),
    cursors: statement(
      'write_cursors',
      `INSERT INTO @source_cursors AS t (source_id, height, hash, position)
       SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bigint[])
       ON CONFLICT (source_id) DO UPDATE SET height = excluded.height, hash = excluded.hash,
         position = excluded.position ${isLater}`,
    ),
  };
}
