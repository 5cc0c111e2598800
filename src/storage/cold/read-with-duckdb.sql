-- Views of a namespace of the cold tier, for DuckDB 1.1 or later, without extensions. README.md beside this file says what the
-- rows mean. The folder is the directory of the cold tier, or a copy: aws s3 sync s3://bucket/prefix/namespace cold
SET VARIABLE folder = 'cold';

-- The entries of a table's log: its commits, and the checkpoints that stand for older ones.
CREATE OR REPLACE MACRO checkpoints_of(folder) AS TABLE
  SELECT * FROM glob(folder || '/_delta_log/*.checkpoint.parquet');

CREATE OR REPLACE MACRO commits_of(folder) AS TABLE
  SELECT regexp_extract(filename, '(\d{20})\.json$', 1)::BIGINT AS version, "add", remove, txn
  FROM read_json(folder || '/_delta_log/*.json', filename = true, format = 'newline_delimited', columns = {
    "add": 'STRUCT(path VARCHAR)', remove: 'STRUCT(path VARCHAR)', txn: 'STRUCT(appId VARCHAR, version BIGINT)'});

CREATE OR REPLACE MACRO checkpoint_sql(folder) AS (
  SELECT CASE WHEN count(*) = 0
    THEN 'SELECT NULL::BIGINT AS version, NULL::VARCHAR AS added, NULL::VARCHAR AS removed, NULL::VARCHAR AS app, NULL::BIGINT AS number WHERE false'
    ELSE 'SELECT regexp_extract(filename, ''(\d{20})\.checkpoint'', 1)::BIGINT AS version, "add".path AS added,
      remove.path AS removed, txn.appId AS app, txn.version AS number FROM read_parquet(''' || folder || '/_delta_log/*.checkpoint.parquet'', filename = true)' END
  FROM checkpoints_of(folder));

SET VARIABLE ledger_checkpoints = checkpoint_sql(getvariable('folder') || '/ledger');
SET VARIABLE message_checkpoints = checkpoint_sql(getvariable('folder') || '/messages');
SET VARIABLE result_checkpoints = checkpoint_sql(getvariable('folder') || '/verifier_results');
SET VARIABLE execution_checkpoints = checkpoint_sql(getvariable('folder') || '/executions');

CREATE OR REPLACE MACRO log_of(folder, checkpoints) AS TABLE
  SELECT version, "add".path AS added, remove.path AS removed, txn.appId AS app, txn.version AS number FROM commits_of(folder)
  UNION ALL SELECT * FROM query(checkpoints);

-- The files of a table as of a version: of each the last entry counts.
CREATE OR REPLACE MACRO files_of(folder, checkpoints, upto) AS TABLE
  SELECT folder || '/' || url_decode(coalesce(added, removed)) AS file FROM log_of(folder, checkpoints)
  WHERE version <= upto AND coalesce(added, removed) IS NOT NULL
  GROUP BY ALL HAVING arg_max(added IS NOT NULL, version);

-- The ledger names the versions of the other tables that count: beyond them a flush is under way.
CREATE OR REPLACE MACRO named_version(folder, checkpoints, name) AS (
  SELECT max(number) FROM log_of(folder || '/ledger', checkpoints) WHERE app = 'ccv-indexer:' || name);

SET VARIABLE message_files = (SELECT list(file ORDER BY file) FROM files_of(getvariable('folder') || '/messages',
  getvariable('message_checkpoints'), named_version(getvariable('folder'), getvariable('ledger_checkpoints'), 'messages')));
SET VARIABLE result_files = (SELECT list(file ORDER BY file) FROM files_of(getvariable('folder') || '/verifier_results',
  getvariable('result_checkpoints'), named_version(getvariable('folder'), getvariable('ledger_checkpoints'), 'verifier_results')));
SET VARIABLE ledger_files = (SELECT list(file ORDER BY file) FROM files_of(getvariable('folder') || '/ledger',
  getvariable('ledger_checkpoints'), 9223372036854775807));

-- A namespace of format 2 has no executions, and a folder for them only since it was written to by a later version.
CREATE OR REPLACE MACRO execution_files_sql(folder) AS (
  SELECT CASE WHEN count(*) = 0 THEN 'SELECT NULL::VARCHAR AS file WHERE false'
    ELSE 'SELECT file FROM files_of(getvariable(''folder'') || ''/executions'', getvariable(''execution_checkpoints''),
      named_version(getvariable(''folder''), getvariable(''ledger_checkpoints''), ''executions''))' END
  FROM glob(folder || '/executions/_delta_log/*'));
SET VARIABLE execution_list = execution_files_sql(getvariable('folder'));
SET VARIABLE execution_files = (SELECT list(file ORDER BY file) FROM query(getvariable('execution_list')));
SET VARIABLE execution_rows = CASE WHEN getvariable('execution_files') IS NULL
  THEN 'SELECT NULL::VARCHAR AS message_id WHERE false'
  ELSE 'SELECT * FROM read_parquet(getvariable(''execution_files''), hive_partitioning = true)' END;

-- One row for each message that lists show, for each of their results, and for each execution.
CREATE OR REPLACE VIEW messages AS
  SELECT * FROM read_parquet(getvariable('message_files'), hive_partitioning = true);

CREATE OR REPLACE VIEW verifier_results AS
  SELECT NULL::VARCHAR AS verdict, NULL::BIGINT AS verdict_config_block WHERE false
  UNION ALL BY NAME
  SELECT * FROM read_parquet(getvariable('result_files'), hive_partitioning = true, union_by_name = true);

CREATE OR REPLACE VIEW executions AS
  SELECT NULL::BIGINT AS ingestion_ms, NULL::VARCHAR AS message_id, NULL::VARCHAR AS source_chain_selector,
    NULL::VARCHAR AS dest_chain_selector, NULL::BIGINT AS position, NULL::BIGINT AS block_number, NULL::BIGINT AS log_index,
    NULL::VARCHAR AS block_hash, NULL::VARCHAR AS state, NULL::DECIMAL(38,0) AS message_number,
    NULL::VARCHAR AS off_ramp_address, NULL::BIGINT AS block_timestamp_ms, NULL::VARCHAR AS transaction_hash,
    NULL::BLOB AS return_data, NULL::TIMESTAMPTZ AS ingestion_time, NULL::TIMESTAMPTZ AS block_time, NULL::VARCHAR AS lane,
    NULL::DATE AS day WHERE false
  UNION ALL BY NAME
  SELECT * FROM query(getvariable('execution_rows'));
