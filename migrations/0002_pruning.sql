-- What is left of records that were pruned because a colder tier holds them: enough to tell a duplicate from a conflict and
-- a known id from a new one. A row of `messages` or `verifier_results` counts before what is left of it here.

-- Once a message id of which anything was pruned.
CREATE TABLE pruned_ids (
  message_id bytea PRIMARY KEY,
  first_ms bigint NOT NULL,
  body_hash bytea NOT NULL,
  -- of the message; null while only verifier results of the id were pruned
  status smallint,
  orphaned boolean NOT NULL,
  -- the first 16 bytes of a sha256 over the origin; null when it has none
  origin_hash bytea
);

-- `identity`: the first 20 bytes of a sha256 over id, length of the source address, source and destination address.
-- `ccv_hash`: the first 16 bytes of the sha256 of ccv_data.
CREATE TABLE pruned_results (
  identity bytea PRIMARY KEY,
  ccv_hash bytea NOT NULL
);

-- Where records were listed before a change took them out of the lists or moved them in time: a tier that lags behind
-- still lists them there. `record`: 0 message, 1 verifier result. Complete above `ingest_clock.moves_position`.
CREATE TABLE moves (
  position bigint PRIMARY KEY,
  record smallint NOT NULL,
  message_id bytea NOT NULL,
  verifier_source bytea NOT NULL,
  verifier_dest bytea NOT NULL,
  source_chain bigint NOT NULL,
  dest_chain bigint NOT NULL,
  old_ms bigint NOT NULL
);
ALTER TABLE ingest_clock ADD COLUMN moves_position bigint NOT NULL DEFAULT 0;
UPDATE ingest_clock SET moves_position = last_move_position;

-- Pruning frees as much as is written, at the other end of the table: small, early vacuums keep the two in step.
ALTER TABLE messages SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
ALTER TABLE verifier_results SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
ALTER TABLE message_bodies SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
ALTER TABLE commits SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
-- one row, updated by every commit
ALTER TABLE ingest_clock SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
