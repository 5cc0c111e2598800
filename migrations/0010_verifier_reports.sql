-- How each worker's verifiers are doing, told with every beat: JSON, as src/storage/lease-store.ts has it.
ALTER TABLE members ADD COLUMN verifiers text NOT NULL DEFAULT '[]';
-- the last beat
ALTER TABLE members ADD COLUMN seen_ms bigint NOT NULL DEFAULT 0;
