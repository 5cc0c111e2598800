-- Moves of a deployment from one database to another.

-- Another database leads: no commit is made here, only taken over from there. Set and cleared under the clock lock.
ALTER TABLE ingest_clock ADD COLUMN handed_over boolean NOT NULL DEFAULT false;

-- The move that the database takes part in, as a document; of two databases the one with the higher revision is right.
CREATE TABLE move (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  revision bigint NOT NULL,
  state text NOT NULL
);

-- While records at or below `through_position` are taken over: those at or below `position` are here.
CREATE TABLE move_backfill (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  position bigint NOT NULL,
  through_position bigint NOT NULL
);

-- The processes that follow the move, and the revision that each works by.
CREATE TABLE move_processes (
  process text COLLATE "C" PRIMARY KEY,
  role text NOT NULL,
  revision bigint NOT NULL,
  since_ms bigint NOT NULL,
  expires_ms bigint NOT NULL,
  -- its figures of shadow reads, as JSON
  figures text
) WITH (fillfactor = 10);
