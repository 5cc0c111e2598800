import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { hexToBytes } from '../../../src/core/hex.js';
import type { VerifierResult } from '../../../src/model/records.js';

/**
 * The fastest known way to store records in Postgres so that a duplicate is passed over: binary COPY into a temporary
 * table, then INSERT … SELECT into a table whose only index is the records' primary key. One connection, one durable
 * commit a batch.
 */
export interface StagedCopy {
  /** Creates the tables anew, empty. */
  reset(): Promise<void>;
  store(encodedBatch: Buffer): Promise<void>;
}

const COLUMNS = 'message_id, verifier_source, verifier_dest, encoded_message, ccv_data';
/** As in the product's tables: bytes that do not compress stay in their row. */
const AS_IS = `ALTER TABLE bare.records ALTER COLUMN encoded_message SET STORAGE EXTERNAL,
  ALTER COLUMN ccv_data SET STORAGE EXTERNAL, SET (toast_tuple_target = 8160)`;

export function createStagedCopy(client: pg.Client): StagedCopy {
  return {
    async reset() {
      await client.query('DROP SCHEMA IF EXISTS bare CASCADE; DROP TABLE IF EXISTS staged; CREATE SCHEMA bare');
      await client.query(`CREATE TABLE bare.records (message_id bytea, verifier_source bytea, verifier_dest bytea,
        encoded_message bytea NOT NULL, ccv_data bytea NOT NULL,
        PRIMARY KEY (message_id, verifier_source, verifier_dest))`);
      await client.query(AS_IS);
      await client.query('CREATE TEMP TABLE staged (LIKE bare.records INCLUDING STORAGE) ON COMMIT DELETE ROWS');
      await client.query('CHECKPOINT');
    },
    async store(encodedBatch) {
      await client.query('BEGIN');
      await copyIn(client, `COPY staged (${COLUMNS}) FROM STDIN BINARY`, encodedBatch);
      await client.query(`INSERT INTO bare.records (${COLUMNS}) SELECT ${COLUMNS} FROM staged ON CONFLICT DO NOTHING`);
      await client.query('COMMIT');
    },
  };
}

/** A batch in the format of binary COPY: signature, flags, extension; rows of counted fields; -1. */
export function encodeCopy(results: readonly VerifierResult[]): Buffer {
  const fieldCount = Buffer.from([0, 5]);
  const rows = results.flatMap((result) => [
    fieldCount,
    ...[
      hexToBytes(result.messageId),
      hexToBytes(result.verifierSourceAddress),
      hexToBytes(result.verifierDestAddress),
      result.encodedMessage,
      result.ccvData,
    ].flatMap((bytes) => [int32(bytes.length), bytes]),
  ]);
  return Buffer.concat([
    Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'),
    Buffer.alloc(8),
    ...rows,
    Buffer.from([255, 255]),
  ]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function copyIn(client: pg.Client, sql: string, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = client.query(copyFrom(sql));
    stream.once('error', reject).once('finish', resolve);
    stream.end(bytes);
  });
}
