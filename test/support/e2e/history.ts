import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import type { MessageStatus, StoredMessage, StoredVerifierResult } from '../../../src/model/records.js';
import { SIGNATURE_VERDICTS } from '../../../src/protocol/records.js';
import type { TestDatabase } from '../postgres/postgres.js';

/** The last state of every record that a namespace ever had, in list order, orphaned ones too. */
export interface History {
  readonly messages: readonly StoredMessage[];
  readonly results: readonly StoredVerifierResult[];
}

const KEYS = {
  message_bodies: ['message_id'],
  messages: ['message_id'],
  verifier_results: ['message_id', 'verifier_source', 'verifier_dest'],
};

/**
 * From now on the database itself keeps a copy of every record, by triggers and in a schema of its own: pruning removes
 * nothing from there, and no code of the product takes part. For a namespace that is migrated and empty.
 */
export async function keepHistory(database: TestDatabase, namespace: string): Promise<void> {
  const kept = schemaOf(namespace);
  await database.sql(`CREATE SCHEMA ${kept}`);
  for (const [table, keys] of Object.entries(KEYS)) {
    const isSame = keys.map((key) => `${key} = NEW.${key}`).join(' AND ');
    await database.sql(`CREATE TABLE ${kept}.${table} (LIKE ${namespace}.${table}, PRIMARY KEY (${keys.join(', ')}))`);
    await database.sql(
      `CREATE FUNCTION ${kept}.keep_${table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         DELETE FROM ${kept}.${table} WHERE ${isSame};
         INSERT INTO ${kept}.${table} SELECT NEW.*;
         RETURN NULL;
       END $$`,
    );
    await database.sql(
      `CREATE TRIGGER keep AFTER INSERT OR UPDATE ON ${namespace}.${table}
         FOR EACH ROW EXECUTE FUNCTION ${kept}.keep_${table}()`,
    );
  }
}

/** Everything kept so far. */
export async function historyOf(database: TestDatabase, namespace: string): Promise<History> {
  const kept = schemaOf(namespace);
  const messages = await database.sql(
    `SELECT m.*, b.first_ms, b.body FROM ${kept}.messages m JOIN ${kept}.message_bodies b USING (message_id)
     ORDER BY m.ingestion_ms, m.message_id`,
  );
  const results = await database.sql(
    `SELECT r.*, b.first_ms, b.body FROM ${kept}.verifier_results r JOIN ${kept}.message_bodies b USING (message_id)
     ORDER BY r.ingestion_ms, r.message_id, r.verifier_source, r.verifier_dest`,
  );
  return {
    messages: (messages.rows as MessageRow[]).map(toMessage),
    results: (results.rows as ResultRow[]).map(toResult),
  };
}

/** How many messages were kept, and how many of them are verified. */
export async function countHistory(
  database: TestDatabase,
  namespace: string,
): Promise<{ readonly messages: number; readonly verified: number; readonly results: number }> {
  const kept = schemaOf(namespace);
  const { rows } = await database.sql(
    `SELECT count(*)::int AS messages, (count(*) FILTER (WHERE status = 1))::int AS verified,
       (SELECT count(*)::int FROM ${kept}.verifier_results) AS results FROM ${kept}.messages`,
  );
  return rows[0] as { messages: number; verified: number; results: number };
}

/** The history without what two histories of the same facts may differ in: times and positions. Sorted. */
export function factsOf({ messages, results }: History): {
  readonly messages: readonly string[];
  readonly results: readonly string[];
} {
  const fact = (record: StoredMessage | StoredVerifierResult) =>
    JSON.stringify({ ...record, ingestionMs: 0, firstMs: 0, position: 0 }, (_name, value) =>
      typeof value === 'bigint' ? String(value) : value instanceof Uint8Array ? bytesToHex(value) : value,
    );
  return { messages: messages.map(fact).sort(), results: results.map(fact).sort() };
}

function schemaOf(namespace: string): string {
  return `${namespace}_kept`;
}

interface Row {
  readonly message_id: Buffer;
  readonly ingestion_ms: string;
  readonly position: string;
  readonly orphaned: boolean;
  readonly first_ms: string;
  readonly body: Buffer;
}

interface MessageRow extends Row {
  readonly status: number;
  readonly block_number: string | null;
  readonly block_timestamp_ms: string;
  readonly log_index: string;
  readonly block_hash: Buffer;
  readonly transaction_hash: Buffer;
}

interface ResultRow extends Row {
  readonly verifier_source: Buffer;
  readonly verifier_dest: Buffer;
  readonly attestation_ms: string;
  readonly verifier_name: string;
  readonly ccv_data: Buffer;
  readonly verdict: number | null;
  readonly verdict_block: string | null;
}

const STATUSES: readonly MessageStatus[] = ['processing', 'success', 'timeout'];

function toMessage(row: MessageRow): StoredMessage {
  return {
    ...shared(row),
    status: STATUSES[row.status]!,
    origin:
      row.block_number === null
        ? null
        : {
            blockNumber: BigInt(row.block_number),
            blockHash: bytesToHex(row.block_hash),
            blockTimestampMs: Number(row.block_timestamp_ms),
            transactionHash: bytesToHex(row.transaction_hash),
            logIndex: Number(row.log_index),
          },
  };
}

function toResult(row: ResultRow): StoredVerifierResult {
  return {
    ...shared(row),
    verifierSourceAddress: bytesToHex(row.verifier_source),
    verifierDestAddress: bytesToHex(row.verifier_dest),
    attestationMs: Number(row.attestation_ms),
    verifierName: row.verifier_name,
    ccvData: new Uint8Array(row.ccv_data),
    verdict:
      row.verdict === null
        ? null
        : { verdict: SIGNATURE_VERDICTS[row.verdict]!, configBlock: BigInt(row.verdict_block ?? 0) },
  };
}

function shared(row: Row) {
  return {
    messageId: bytesToHex(row.message_id),
    ingestionMs: Number(row.ingestion_ms),
    position: BigInt(row.position),
    firstMs: Number(row.first_ms),
    orphaned: row.orphaned,
    ...readBody(row.body),
  };
}

/** See the migration: number of CCV addresses, each with its length, the executor's likewise, then the message. */
function readBody(body: Buffer) {
  let at = 1;
  const address = (): Hex => {
    const from = at + 1;
    at = from + body[at]!;
    return bytesToHex(body.subarray(from, at));
  };
  const messageCCVAddresses = Array.from({ length: body[0]! }, address);
  const messageExecutorAddress = address();
  return { messageCCVAddresses, messageExecutorAddress, encodedMessage: new Uint8Array(body.subarray(at)) };
}
