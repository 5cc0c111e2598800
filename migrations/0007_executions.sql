-- Changes of a message's state on its destination chain, one row a log of an OffRamp. Never pruned: a row is about as
-- large as the trace that a pruned record leaves.
CREATE TABLE executions (
  message_id bytea NOT NULL,
  block_hash bytea NOT NULL,
  log_index bigint NOT NULL,
  source_chain bigint NOT NULL,
  dest_chain bigint NOT NULL,
  message_number bigint NOT NULL,
  block_number bigint NOT NULL,
  block_timestamp_ms bigint NOT NULL,
  ingestion_ms bigint NOT NULL,
  position bigint NOT NULL,
  -- as in the contract: 0 untouched, 1 in progress, 2 success, 3 failure
  state smallint NOT NULL,
  orphaned boolean NOT NULL,
  off_ramp bytea NOT NULL,
  transaction_hash bytea NOT NULL,
  return_data bytea NOT NULL,
  PRIMARY KEY (message_id, block_hash, log_index)
);
CREATE UNIQUE INDEX executions_by_position ON executions (position);
CREATE INDEX executions_by_block ON executions (dest_chain, block_number, log_index) WHERE NOT orphaned;

-- The judgement of a result's signatures: 0 valid, 1 invalid, 2 unsupported; null: not judged.
ALTER TABLE verifier_results ADD COLUMN verdict smallint;
-- Block of the destination chain at which the committee was read.
ALTER TABLE verifier_results ADD COLUMN verdict_block bigint;
