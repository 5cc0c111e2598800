-- Verifier results that a replay replaced because a person wanted it to, as they were stored.
CREATE TABLE replacements (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- number of the replay
  replay bigint NOT NULL,
  message_id bytea NOT NULL,
  verifier_source bytea NOT NULL,
  verifier_dest bytea NOT NULL,
  -- of the payloads, as in conflicts: the one that was stored and the one that is
  stored_hash bytea NOT NULL,
  received_hash bytea NOT NULL,
  attestation_ms bigint NOT NULL,
  verifier_name text NOT NULL,
  ccv_data bytea NOT NULL,
  -- ingestion time of the commit that replaced it
  replaced_ms bigint NOT NULL
);
CREATE INDEX replacements_by_message ON replacements (message_id);
