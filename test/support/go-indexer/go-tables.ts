/** The Go indexer's tables as its own migrations leave them (chainlink-ccv, `indexer/migrations/postgres`). */
export const GO_TABLES = `
  CREATE SCHEMA indexer;
  CREATE TABLE indexer.verifier_results (
    message_id text NOT NULL,
    verifier_source_address text NOT NULL,
    verifier_dest_address text NOT NULL,
    attestation_timestamp timestamptz NOT NULL,
    source_chain_selector numeric(20, 0) NOT NULL,
    dest_chain_selector numeric(20, 0) NOT NULL,
    ccv_data bytea,
    message jsonb NOT NULL,
    ingestion_timestamp timestamptz DEFAULT CURRENT_TIMESTAMP,
    message_ccv_addresses text[] NOT NULL DEFAULT ARRAY[]::text[],
    message_executor_address text NOT NULL DEFAULT '',
    PRIMARY KEY (message_id, verifier_source_address, verifier_dest_address)
  );
  CREATE INDEX idx_verifier_results_message_id ON indexer.verifier_results (message_id);
  CREATE INDEX idx_verifier_results_source_chain ON indexer.verifier_results (source_chain_selector);
  CREATE INDEX idx_verifier_results_dest_chain ON indexer.verifier_results (dest_chain_selector);
  CREATE INDEX idx_verifier_results_attestation_timestamp ON indexer.verifier_results (attestation_timestamp);
  CREATE TABLE indexer.messages (
    message_id text PRIMARY KEY,
    message jsonb NOT NULL,
    status text NOT NULL,
    lasterr text,
    source_chain_selector numeric(20, 0) NOT NULL,
    dest_chain_selector numeric(20, 0) NOT NULL,
    ingestion_timestamp timestamp NOT NULL,
    message_ccv_addresses text[] NOT NULL DEFAULT ARRAY[]::text[]
  );
  CREATE INDEX idx_messages_status_ingestion_timestamp ON indexer.messages (status, ingestion_timestamp);
  CREATE TABLE indexer.discovery_state (
    discovery_location text PRIMARY KEY,
    last_sequence_number bigint NOT NULL,
    updated_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
  )`;
