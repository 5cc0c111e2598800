import pg from 'pg';
import type { Hex } from '../../../src/core/hex.js';
import { createLocalClock } from '../../../src/migration/go-indexer/local-clock.js';
import { readLane } from '../../../src/model/payload.js';
import type { NewMessage, VerifierResult } from '../../../src/model/records.js';
import { messageJson } from '../../../src/protocol/message-json.js';

/** A result as the Go indexer was given it; `microseconds` are those below the millisecond. */
export interface GoResult {
  readonly result: VerifierResult;
  readonly atMs: number;
  readonly microseconds?: number;
}

/** Writes as the Go indexer does, with its statements (chainlink-ccv, `indexer/pkg/storage/postgres.go`). */
export interface GoWriter {
  readonly client: pg.Client;
  /** A page of an aggregator: one transaction, with the sequence after its last entry. */
  discover(
    page: {
      readonly messages: readonly { readonly message: NewMessage; readonly atMs: number }[];
      readonly results: readonly GoResult[];
    },
    cursor?: { readonly location: string; readonly sequence: number },
  ): Promise<void>;
  /** Results of tasks; `force`: those of a replay that overwrites. */
  results(results: readonly GoResult[], force?: boolean): Promise<void>;
  /** A replay that overwrites: the message takes a new time. */
  replayMessage(message: NewMessage, atMs: number): Promise<void>;
  status(messageId: Hex, status: 'SUCCESS' | 'TIMEOUT'): Promise<void>;
  close(): Promise<void>;
}

const RESULT_COLUMNS = `message_id, verifier_source_address, verifier_dest_address, attestation_timestamp,
  ingestion_timestamp, source_chain_selector, dest_chain_selector, ccv_data, message, message_ccv_addresses,
  message_executor_address`;
const MESSAGE_COLUMNS = `message_id, message, status, lastErr, source_chain_selector, dest_chain_selector,
  ingestion_timestamp, message_ccv_addresses`;
const FORCED_RESULT = `DO UPDATE SET ccv_data = EXCLUDED.ccv_data, attestation_timestamp = EXCLUDED.attestation_timestamp,
  ingestion_timestamp = EXCLUDED.ingestion_timestamp, message = EXCLUDED.message,
  message_ccv_addresses = EXCLUDED.message_ccv_addresses,
  message_executor_address = EXCLUDED.message_executor_address,
  source_chain_selector = EXCLUDED.source_chain_selector, dest_chain_selector = EXCLUDED.dest_chain_selector`;
const FORCED_MESSAGE = `DO UPDATE SET message = EXCLUDED.message, ingestion_timestamp = EXCLUDED.ingestion_timestamp,
  source_chain_selector = EXCLUDED.source_chain_selector, dest_chain_selector = EXCLUDED.dest_chain_selector,
  message_ccv_addresses = EXCLUDED.message_ccv_addresses`;

/** @param zone that of the machine on which the Go indexer runs. */
export async function openGoWriter(connection: pg.ClientConfig, zone = 'UTC'): Promise<GoWriter> {
  const local = createLocalClock(zone);
  const client = new pg.Client({ ...connection, application_name: 'indexer' });
  await client.connect();

  /** Rows of one statement share its limit of 65 535 parameters. */
  async function insert(into: string, rows: readonly (readonly unknown[])[], conflict: string): Promise<void> {
    for (let from = 0; from < rows.length; from += 5_000) {
      const part = rows.slice(from, from + 5_000);
      const values = part.map((row, at) => `(${row.map((_, index) => `$${at * row.length + index + 1}`).join(', ')})`);
      await client.query(
        `INSERT INTO indexer.${into} VALUES ${values.join(', ')} ON CONFLICT ${conflict}`,
        part.flat(),
      );
    }
  }

  const messageRow = ({ message, atMs }: { message: NewMessage; atMs: number }) => {
    const { sourceChainSelector, destChainSelector } = readLane(message.encodedMessage);
    const time = new Date(local.localMs(atMs)).toISOString().slice(0, -1);
    const lane = [String(sourceChainSelector), String(destChainSelector)];
    const json = messageJson(message.encodedMessage);
    return [message.messageId, json, 'PROCESSING', '', ...lane, time, message.messageCCVAddresses];
  };
  const messages = (rows: readonly { message: NewMessage; atMs: number }[], how: string) =>
    insert(`messages (${MESSAGE_COLUMNS})`, rows.map(messageRow), `(message_id) ${how}`);
  const resultRow = ({ result, atMs, microseconds = 0 }: GoResult) => {
    const { sourceChainSelector, destChainSelector } = readLane(result.encodedMessage);
    const time = `${new Date(atMs).toISOString().slice(0, -1)}${String(microseconds).padStart(3, '0')}Z`;
    return [
      ...[result.messageId, result.verifierSourceAddress, result.verifierDestAddress],
      ...[new Date(result.attestationMs), time, String(sourceChainSelector), String(destChainSelector)],
      ...[Buffer.from(result.ccvData), messageJson(result.encodedMessage), result.messageCCVAddresses],
      result.messageExecutorAddress,
    ];
  };
  const results = (rows: readonly GoResult[], how: string) =>
    insert(
      `verifier_results (${RESULT_COLUMNS})`,
      rows.map(resultRow),
      `(message_id, verifier_source_address, verifier_dest_address) ${how}`,
    );

  return {
    client,
    async discover(page, cursor) {
      await client.query('BEGIN');
      await messages(page.messages, 'DO NOTHING');
      await results(page.results, 'DO NOTHING');
      if (cursor)
        await client.query(
          'UPDATE indexer.discovery_state SET last_sequence_number = $1 WHERE discovery_location = $2',
          [cursor.sequence, cursor.location],
        );
      await client.query('COMMIT');
    },
    results: (rows, force = false) => results(rows, force ? FORCED_RESULT : 'DO NOTHING'),
    replayMessage: (message, atMs) => messages([{ message, atMs }], FORCED_MESSAGE),
    async status(messageId, status) {
      await client.query('UPDATE indexer.messages SET status = $1, lastErr = $2 WHERE message_id = $3', [
        status,
        '',
        messageId,
      ]);
    },
    close: () => client.end(),
  };
}
