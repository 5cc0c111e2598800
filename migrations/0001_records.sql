-- Everything that one namespace stores. Chain selectors are unsigned 64-bit numbers kept in a bigint by two's complement;
-- message ids, addresses and hashes are raw bytes; times are unix milliseconds.

-- The commit clock: one row. A writer locks it before it looks at anything else and holds it until it has committed, so
-- that the orders of commits, ingestion times and positions are one.
CREATE TABLE ingest_clock (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  -- ingestion time of the last commit
  last_ms bigint NOT NULL DEFAULT -1,
  -- every change up to this position is here
  last_position bigint NOT NULL DEFAULT 0,
  -- position of the last change that took a record out of the lists or moved it in time
  last_move_position bigint NOT NULL DEFAULT 0,
  -- above last_position while a follower has only some of the changes that one snapshot of its leader held
  head_position bigint NOT NULL DEFAULT 0,
  -- records at or below these are pruned
  floor_ms bigint NOT NULL DEFAULT -1,
  floor_position bigint NOT NULL DEFAULT 0,
  CHECK (head_position >= last_position)
) WITH (fillfactor = 10);
INSERT INTO ingest_clock DEFAULT VALUES;

-- One row a commit: the points between commits, and a writer's proof that a commit whose answer it lost was done.
CREATE TABLE commits (
  through_position bigint PRIMARY KEY,
  ingestion_ms bigint NOT NULL,
  writer bigint NOT NULL
);
CREATE UNIQUE INDEX commits_by_time ON commits (ingestion_ms, through_position);

-- What a message and its verifier results share, once a message. `body`: u8 number of CCV addresses, each u8 length and
-- bytes; the executor address in the same way; then the canonical message to the end. `body_hash`: its sha256.
CREATE TABLE message_bodies (
  message_id bytea PRIMARY KEY,
  first_ms bigint NOT NULL,
  body_hash bytea NOT NULL,
  body bytea NOT NULL
) WITH (toast_tuple_target = 8160);
ALTER TABLE message_bodies ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE messages (
  message_id bytea PRIMARY KEY,
  source_chain bigint NOT NULL,
  dest_chain bigint NOT NULL,
  ingestion_ms bigint NOT NULL,
  position bigint NOT NULL,
  block_number bigint,
  block_timestamp_ms bigint,
  log_index bigint,
  -- as on the wire: 0 processing, 1 success, 2 timeout
  status smallint NOT NULL,
  orphaned boolean NOT NULL,
  block_hash bytea,
  transaction_hash bytea
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX messages_by_position ON messages (position);
CREATE INDEX messages_by_time ON messages (ingestion_ms, message_id) WHERE NOT orphaned;
CREATE INDEX messages_by_lane ON messages (source_chain, dest_chain, ingestion_ms, message_id) WHERE NOT orphaned;
CREATE INDEX messages_unfinished ON messages (ingestion_ms, message_id) WHERE NOT orphaned AND status <> 1;
CREATE INDEX messages_by_block ON messages (source_chain, block_number, log_index) WHERE NOT orphaned;

CREATE TABLE verifier_results (
  message_id bytea NOT NULL,
  verifier_source bytea NOT NULL,
  verifier_dest bytea NOT NULL,
  source_chain bigint NOT NULL,
  dest_chain bigint NOT NULL,
  ingestion_ms bigint NOT NULL,
  position bigint NOT NULL,
  attestation_ms bigint NOT NULL,
  orphaned boolean NOT NULL,
  verifier_name text NOT NULL,
  ccv_data bytea NOT NULL,
  PRIMARY KEY (message_id, verifier_source, verifier_dest)
) WITH (toast_tuple_target = 8160);
ALTER TABLE verifier_results ALTER COLUMN ccv_data SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX verifier_results_by_position ON verifier_results (position);
CREATE INDEX verifier_results_by_time ON verifier_results (ingestion_ms, message_id) WHERE NOT orphaned;
CREATE INDEX verifier_results_by_lane ON verifier_results (source_chain, dest_chain, ingestion_ms, message_id)
  WHERE NOT orphaned;

-- The lanes that any record was ever stored for. A query with chain filters reads the index once a lane and merges.
CREATE TABLE lanes (
  source_chain bigint NOT NULL,
  dest_chain bigint NOT NULL,
  PRIMARY KEY (source_chain, dest_chain)
);

CREATE TABLE source_cursors (
  source_id text COLLATE "C" PRIMARY KEY,
  height bigint NOT NULL,
  hash bytea,
  position bigint NOT NULL
);

-- `identity`: sha256 over what tells one entry from another, because a source's key may be longer than an index takes.
CREATE TABLE quarantine (
  identity bytea PRIMARY KEY,
  source_id text NOT NULL,
  key text NOT NULL,
  reason text NOT NULL,
  detail text NOT NULL,
  raw bytea NOT NULL,
  message_id bytea,
  ingestion_ms bigint NOT NULL,
  position bigint NOT NULL
);
CREATE UNIQUE INDEX quarantine_by_position ON quarantine (position);

CREATE TABLE conflicts (
  identity bytea PRIMARY KEY,
  -- 0 message, 1 verifier result
  record smallint NOT NULL,
  message_id bytea NOT NULL,
  verifier_source bytea NOT NULL,
  verifier_dest bytea NOT NULL,
  stored_hash bytea NOT NULL,
  received_hash bytea NOT NULL,
  ingestion_ms bigint NOT NULL,
  position bigint NOT NULL
);
CREATE UNIQUE INDEX conflicts_by_position ON conflicts (position);
