-- The workers that share the sources and the tasks of a namespace. Times are those of this database's clock.
CREATE TABLE members (
  member text COLLATE "C" PRIMARY KEY,
  -- the sources that it is configured with
  sources text[] NOT NULL,
  since_ms bigint NOT NULL,
  -- from then on the member counts as gone
  expires_ms bigint NOT NULL
) WITH (fillfactor = 10);

-- One row a source that was ever owned. A lease stands until it is released, or until another member takes it from one
-- that is gone; a write under a lease compares owner and epoch in its own transaction.
CREATE TABLE leases (
  source text COLLATE "C" PRIMARY KEY,
  -- null: released
  owner text COLLATE "C",
  epoch bigint NOT NULL,
  since_ms bigint NOT NULL
);

-- a row a member, updated every second
ALTER TABLE members SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
