-- Views of a namespace of the cold tier, for DuckDB 1.1 or later, without extensions. README.md beside this file says what the
-- rows mean. The folder is the directory of the cold tier, or a copy: aws s3 sync s3://bucket/prefix/namespace cold
SET VARIABLE folder = 'cold';

-- A table's files are those that its log adds and does not remove; names are never used twice. A log entry is kept for a
-- week and then stands in a checkpoint: for tables with _delta_log/*.checkpoint.parquet take the versions with_checkpoints
-- (of this and of committed_position), or DuckDB's delta extension, delta_scan(…), in place of active_files and read_parquet.
CREATE OR REPLACE MACRO active_files(folder) AS TABLE
  WITH log AS (
    SELECT "add".path AS added, remove.path AS removed FROM read_json(folder || '/_delta_log/*.json',
      format = 'newline_delimited', columns = {"add": 'STRUCT(path VARCHAR)', remove: 'STRUCT(path VARCHAR)'}))
  SELECT folder || '/' || url_decode(added) AS file FROM log
  WHERE added IS NOT NULL AND added NOT IN (SELECT removed FROM log WHERE removed IS NOT NULL)
  ORDER BY file;

CREATE OR REPLACE MACRO active_files_with_checkpoints(folder) AS TABLE
  WITH log AS (
    SELECT "add".path AS added, remove.path AS removed FROM read_json(folder || '/_delta_log/*.json',
      format = 'newline_delimited', columns = {"add": 'STRUCT(path VARCHAR)', remove: 'STRUCT(path VARCHAR)'})
    UNION
    SELECT "add".path, remove.path FROM read_parquet(folder || '/_delta_log/*.checkpoint.parquet'))
  SELECT folder || '/' || url_decode(added) AS file FROM log
  WHERE added IS NOT NULL AND added NOT IN (SELECT removed FROM log WHERE removed IS NOT NULL)
  ORDER BY file;

-- A change is part of the namespace once the ledger's log says so: above that position a flush is under way.
CREATE OR REPLACE MACRO committed_position(folder) AS TABLE
  SELECT max(txn.version) AS position FROM read_json(folder || '/_delta_log/*.json',
    format = 'newline_delimited', columns = {txn: 'STRUCT(appId VARCHAR, version BIGINT)'})
  WHERE txn.appId = 'ccv-indexer';

CREATE OR REPLACE MACRO committed_position_with_checkpoints(folder) AS TABLE
  SELECT max(txn.version) AS position FROM (
    SELECT txn FROM read_json(folder || '/_delta_log/*.json',
      format = 'newline_delimited', columns = {txn: 'STRUCT(appId VARCHAR, version BIGINT)'})
    UNION ALL
    SELECT {appId: txn.appId, version: txn.version} FROM read_parquet(folder || '/_delta_log/*.checkpoint.parquet')
    WHERE txn IS NOT NULL)
  WHERE txn.appId = 'ccv-indexer';

SET VARIABLE message_files = (SELECT list(file) FROM active_files(getvariable('folder') || '/messages'));
SET VARIABLE result_files = (SELECT list(file) FROM active_files(getvariable('folder') || '/verifier_results'));
SET VARIABLE committed = (SELECT position FROM committed_position(getvariable('folder') || '/ledger'));

-- Of the rows of one record the one with the highest position counts. Lists show those that are NOT orphaned.
CREATE OR REPLACE VIEW messages AS
  SELECT * FROM read_parquet(getvariable('message_files'), hive_partitioning = true)
  WHERE position <= getvariable('committed')
  QUALIFY row_number() OVER (PARTITION BY message_id ORDER BY position DESC) = 1;

CREATE OR REPLACE VIEW verifier_results AS
  SELECT * FROM read_parquet(getvariable('result_files'), hive_partitioning = true)
  WHERE position <= getvariable('committed')
  QUALIFY row_number() OVER (
    PARTITION BY message_id, verifier_source_address, verifier_dest_address ORDER BY position DESC) = 1;
