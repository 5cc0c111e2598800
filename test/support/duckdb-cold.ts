import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Hex } from '../../src/core/hex.js';
import type { MessageStatus, StoredMessage, StoredVerifierResult } from '../../src/storage/records.js';
import type { ObjectStore } from '../../src/storage/s3/object-store.js';
import type { DuckDBRow, TestDuckDB } from './duckdb.js';
import type { History } from './e2e-history.js';

/**
 * What anyone may run in DuckDB, without anything of ours and without its Delta extension, on a copy of a namespace's
 * folder (`aws s3 sync s3://bucket/prefix/namespace cold`) or on the directory itself. With the extension, `delta_scan(…)`
 * takes the place of `active_files` and `read_parquet`.
 *
 * - A table's files are those that its log adds and does not remove: names are never used twice.
 * - A change is part of the namespace once the ledger's log says so: above that position a flush is under way.
 * - A record that changed has several rows. The one with the highest position counts.
 * - A record that a reorg took is `orphaned`: it is in no list and keeps its row.
 */
export const COLD_SQL = (folder: string): string => `
CREATE OR REPLACE MACRO active_files(folder) AS TABLE
  WITH log AS (
    SELECT "add".path AS added, remove.path AS removed FROM read_json(folder || '/_delta_log/*.json',
      format = 'newline_delimited', columns = {"add": 'STRUCT(path VARCHAR)', remove: 'STRUCT(path VARCHAR)'}))
  SELECT folder || '/' || url_decode(added) AS file FROM log
  WHERE added IS NOT NULL AND added NOT IN (SELECT removed FROM log WHERE removed IS NOT NULL)
  ORDER BY file;

CREATE OR REPLACE MACRO committed_position(folder) AS TABLE
  SELECT max(txn.version) AS position FROM read_json(folder || '/_delta_log/*.json',
    format = 'newline_delimited', columns = {txn: 'STRUCT(appId VARCHAR, version BIGINT)'})
  WHERE txn.appId = 'ccv-indexer';

SET VARIABLE message_files = (SELECT list(file) FROM active_files('${folder}/messages'));
SET VARIABLE result_files = (SELECT list(file) FROM active_files('${folder}/verifier_results'));
SET VARIABLE committed = (SELECT position FROM committed_position('${folder}/ledger'));

CREATE OR REPLACE VIEW messages AS
  SELECT * FROM read_parquet(getvariable('message_files'), hive_partitioning = true)
  WHERE position <= getvariable('committed')
  QUALIFY row_number() OVER (PARTITION BY message_id ORDER BY position DESC) = 1;

CREATE OR REPLACE VIEW verifier_results AS
  SELECT * FROM read_parquet(getvariable('result_files'), hive_partitioning = true)
  WHERE position <= getvariable('committed')
  QUALIFY row_number() OVER (
    PARTITION BY message_id, verifier_source_address, verifier_dest_address ORDER BY position DESC) = 1;
`;

/** The rows of `GET /v1/messages` for a closed range of unix ms, in its order. The fixed fields of a message lie at fixed offsets. */
export const MESSAGES_SQL = (startMs: number, endMs: number): string => `
SELECT *, strftime(make_timestamp(ingestion_ms * 1000), '%Y-%m-%dT%H:%M:%S.%gZ') AS ingestion_timestamp,
  CASE status WHEN 'processing' THEN 0 WHEN 'success' THEN 1 WHEN 'timeout' THEN 2 END AS status_code,
  ('0x' || hex(encoded_message)[35:50])::UBIGINT AS sequence_number
FROM messages
WHERE NOT orphaned AND ingestion_ms BETWEEN ${startMs} AND ${endMs}
ORDER BY ingestion_ms, message_id`;

/** The rows of `GET /v1/verifierresults` for a closed range of unix ms, in its order. */
export const RESULTS_SQL = (startMs: number, endMs: number): string => `
SELECT *, strftime(make_timestamp(ingestion_ms * 1000), '%Y-%m-%dT%H:%M:%S.%gZ') AS ingestion_timestamp,
  strftime(make_timestamp(attestation_ms * 1000), '%Y-%m-%dT%H:%M:%S.%gZ') AS attestation_timestamp
FROM verifier_results
WHERE NOT orphaned AND ingestion_ms BETWEEN ${startMs} AND ${endMs}
ORDER BY ingestion_ms, message_id, verifier_source_address, verifier_dest_address`;

/** Copies a namespace's folder out of a store, as `aws s3 sync` does. */
export async function copyNamespace(store: ObjectStore, namespace: string, directory: string): Promise<string> {
  let startAfter: string | undefined;
  for (;;) {
    const page = await store.list(`${namespace}/`, startAfter === undefined ? {} : { startAfter });
    await Promise.all(
      page.objects.map(async ({ key }) => {
        const file = join(directory, key);
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, await store.get(key));
      }),
    );
    if (page.next === null) return join(directory, namespace);
    startAfter = page.next;
  }
}

/** The last state of every record in a copy of a namespace, in list order. */
export async function coldHistory(duckdb: TestDuckDB, folder: string): Promise<History> {
  await duckdb.run(COLD_SQL(folder));
  const messages = await duckdb.rows('SELECT * FROM messages ORDER BY ingestion_ms, message_id');
  const results = await duckdb.rows(
    'SELECT * FROM verifier_results ORDER BY ingestion_ms, message_id, verifier_source_address, verifier_dest_address',
  );
  return { messages: messages.map(messageOf), results: results.map(resultOf) };
}

/** A row of `messages`. */
export function messageOf(row: DuckDBRow): StoredMessage {
  return {
    ...shared(row),
    status: row['status'] as MessageStatus,
    origin:
      row['block_number'] === null
        ? null
        : {
            blockNumber: row['block_number'] as bigint,
            blockHash: row['block_hash'] as Hex,
            blockTimestampMs: Number(row['block_timestamp_ms']),
            transactionHash: row['transaction_hash'] as Hex,
            logIndex: Number(row['log_index']),
          },
  };
}

/** A row of `verifier_results`. */
export function resultOf(row: DuckDBRow): StoredVerifierResult {
  return {
    ...shared(row),
    verifierSourceAddress: row['verifier_source_address'] as Hex,
    verifierDestAddress: row['verifier_dest_address'] as Hex,
    attestationMs: Number(row['attestation_ms']),
    verifierName: row['verifier_name'] as string,
    ccvData: new Uint8Array(row['ccv_data'] as Uint8Array),
  };
}

function shared(row: DuckDBRow) {
  const addresses = row['message_ccv_addresses'] as string;
  return {
    messageId: row['message_id'] as Hex,
    ingestionMs: Number(row['ingestion_ms']),
    position: row['position'] as bigint,
    firstMs: Number(row['first_ms']),
    orphaned: row['orphaned'] as boolean,
    messageCCVAddresses: (addresses === '' ? [] : addresses.split(',')) as Hex[],
    messageExecutorAddress: row['message_executor_address'] as Hex,
    encodedMessage: new Uint8Array(row['encoded_message'] as Uint8Array),
  };
}
