-- Replays: ranges and messages that are read again from their sources. Times are those of this database's clock.
CREATE TABLE replay_jobs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL,
  -- JSON in one spelling: equal requests have equal bytes
  request text NOT NULL,
  -- sha256 of the request
  request_hash bytea NOT NULL,
  state text NOT NULL CHECK (state IN ('running', 'stopped', 'failed', 'done')),
  -- the source's own; null: at its beginning
  cursor text,
  -- JSON
  progress text,
  error text,
  -- the runner; null: none
  owner text COLLATE "C",
  -- rises with every runner; a step of an earlier one is refused
  epoch bigint NOT NULL,
  created_ms bigint NOT NULL,
  heartbeat_ms bigint NOT NULL,
  -- from then on the runner counts as gone
  expires_ms bigint NOT NULL,
  ended_ms bigint
) WITH (fillfactor = 50);
-- an equal request finds the job that is not done
CREATE UNIQUE INDEX replay_jobs_unfinished ON replay_jobs (request_hash) WHERE state <> 'done';
CREATE INDEX replay_jobs_by_request ON replay_jobs (request_hash, id);
