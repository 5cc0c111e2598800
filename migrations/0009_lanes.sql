-- The count of lanes as of a position: processes begin with it. One row; losing it costs time only.
CREATE TABLE lane_boards (
  id smallint PRIMARY KEY CHECK (id = 1),
  position bigint NOT NULL,
  -- ingestion time of the commit that ended there, unix ms
  ingestion_ms bigint NOT NULL,
  -- when it was stored, unix ms of this database's clock
  saved_ms bigint NOT NULL,
  -- gzip of lines of JSON
  board bytea NOT NULL
);
ALTER TABLE lane_boards ALTER COLUMN board SET STORAGE EXTERNAL;

-- Gaps in the message numbers of lanes that were asked for again. Numbers are unsigned, less 2^63.
CREATE TABLE lane_asks (
  source_chain bigint NOT NULL,
  dest_chain bigint NOT NULL,
  on_ramp bytea NOT NULL,
  from_number bigint NOT NULL,
  through_number bigint NOT NULL,
  times_asked int NOT NULL,
  -- the last time, unix ms of the worker that asked
  asked_ms bigint NOT NULL,
  PRIMARY KEY (source_chain, dest_chain, on_ramp, from_number, through_number)
);
