-- How many records the lists show, by blocks of ingestion time: counts and places by offset need no look at the records.
-- A block of level 0 is 256 ms long, one of each other level is 256 blocks of the level below. Right for all blocks above
-- the floor; a block without a row has none. A commit moves them in its own transaction.
CREATE TABLE list_counts (
  -- 0 message, 1 verifier result
  record smallint NOT NULL,
  level smallint NOT NULL,
  -- ingestion time >> 8 * (level + 1)
  block bigint NOT NULL,
  listed bigint NOT NULL,
  PRIMARY KEY (record, level, block)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);

INSERT INTO list_counts (record, level, block, listed)
SELECT 0, 0, m.ingestion_ms >> 8, count(*) FROM messages m WHERE NOT m.orphaned GROUP BY 3
UNION ALL
SELECT 1, 0, r.ingestion_ms >> 8, count(*) FROM verifier_results r WHERE NOT r.orphaned GROUP BY 3;
INSERT INTO list_counts (record, level, block, listed)
SELECT c.record, l.level, c.block >> (8 * l.level), sum(c.listed)
FROM list_counts c CROSS JOIN (VALUES (1), (2), (3)) l (level) WHERE c.level = 0 GROUP BY 1, 2, 3;

-- A writer of an older version would leave the counters as they are: its commit fails here.
ALTER TABLE ingest_clock ADD COLUMN counted_position bigint NOT NULL DEFAULT 0;
UPDATE ingest_clock SET counted_position = last_position;
ALTER TABLE ingest_clock ADD CONSTRAINT written_with_migration_11 CHECK (counted_position = last_position);
