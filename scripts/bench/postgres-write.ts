/**
 * How fast the Postgres storage takes durable writes of verifier results of about 2 KB, against a bare staged COPY of the same
 * bytes (binary COPY into a temporary table, INSERT … SELECT … ON CONFLICT into a table with the same key) in the same run.
 * `tsx scripts/bench/postgres-write.ts [records]`
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { bytesToHex, hexToBytes } from '../../src/core/hex.js';
import { silentLogger } from '../../src/core/logger.js';
import { startEmbeddedPostgres } from '../../src/devnet/embedded-postgres.js';
import { migrate } from '../../src/storage/postgres/migrations.js';
import { createPostgresStorage, type PostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import type { VerifierResult } from '../../src/storage/records.js';

const RECORDS = Number(process.argv[2] ?? 30_000);
const HALF_BYTES = 1_000;
const CEILING_BATCH = 2_000;
const ROUNDS = 3;

function makeResults(count: number): VerifierResult[] {
  const source = bytesToHex(randomBytes(20));
  const dest = bytesToHex(randomBytes(20));
  const executor = bytesToHex(randomBytes(20));
  return Array.from({ length: count }, () => ({
    messageId: bytesToHex(randomBytes(32)),
    verifierSourceAddress: source,
    verifierDestAddress: dest,
    encodedMessage: Buffer.concat([Buffer.from('0100000000000000050000000000000006', 'hex'), randomBytes(HALF_BYTES)]),
    messageCCVAddresses: [source],
    messageExecutorAddress: executor,
    ccvData: randomBytes(HALF_BYTES),
    attestationMs: 1,
    verifierName: 'bench',
  }));
}

/** Rows per second of the storage, with this many writers that each store batches of this size. */
async function measureStorage(storage: PostgresStorage, writers: number, batchSize: number): Promise<number> {
  const count = Math.min(RECORDS, batchSize * writers * 100);
  const results = makeResults(count);
  const start = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: writers }, async () => {
      while (next < results.length) {
        const verifierResults = results.slice(next, next + batchSize);
        next += batchSize;
        await storage.insertBatch({ verifierResults });
      }
    }),
  );
  return (count / (performance.now() - start)) * 1_000;
}

/** Rows per second of the bare staged COPY. */
async function measureCopy(client: pg.Client): Promise<number> {
  const results = makeResults(RECORDS);
  const start = performance.now();
  for (let at = 0; at < results.length; at += CEILING_BATCH) {
    await client.query('BEGIN');
    await copy(client, 'COPY staged FROM STDIN BINARY', encodeRows(results.slice(at, at + CEILING_BATCH)));
    await client.query('INSERT INTO bare SELECT * FROM staged ON CONFLICT DO NOTHING');
    await client.query('TRUNCATE staged');
    await client.query('COMMIT');
  }
  return (RECORDS / (performance.now() - start)) * 1_000;
}

function encodeRows(results: readonly VerifierResult[]): Buffer {
  const parts: Buffer[] = [Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)];
  const header = Buffer.from([0, 5]);
  for (const result of results) {
    parts.push(header);
    const addresses = [result.messageId, result.verifierSourceAddress, result.verifierDestAddress].map(hexToBytes);
    for (const field of [...addresses, result.encodedMessage, result.ccvData]) {
      const length = Buffer.allocUnsafe(4);
      length.writeInt32BE(field.length);
      parts.push(length, Buffer.from(field.buffer, field.byteOffset, field.length));
    }
  }
  parts.push(Buffer.from([0xff, 0xff]));
  return Buffer.concat(parts);
}

function copy(client: pg.Client, sql: string, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = client.query(copyFrom(sql));
    stream.once('error', reject).once('finish', resolve);
    stream.end(bytes);
  });
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const parent = await mkdtemp(join(tmpdir(), 'ccv-bench-'));
await chmod(parent, 0o711);
const server = await startEmbeddedPostgres({
  dataDir: join(parent, 'data'),
  settings: { shared_buffers: '512MB', max_wal_size: '8GB' },
  log: silentLogger,
});
try {
  await migrate({ connection: server.connection });
  const client = new pg.Client({ ...server.connection });
  await client.connect();
  await client.query(`CREATE TABLE bare (id bytea, source bytea, dest bytea, message bytea, proof bytea,
    PRIMARY KEY (id, source, dest)) WITH (toast_tuple_target = 8160);
    ALTER TABLE bare ALTER message SET STORAGE EXTERNAL, ALTER proof SET STORAGE EXTERNAL;
    CREATE TEMP TABLE staged (LIKE bare INCLUDING STORAGE) WITH (toast_tuple_target = 8160)`);
  const storage = createPostgresStorage({ connection: server.connection });
  await measureCopy(client);
  await measureStorage(storage, 8, 100);
  const ceilings: number[] = [];
  const reached = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round += 1) {
    ceilings.push(await measureCopy(client));
    for (const [writers, batchSize] of [
      [1, 1],
      [200, 1],
      [8, 10],
      [8, 100],
      [8, 500],
      [2, 2_000],
    ] as const) {
      const label = `${writers} × ${batchSize}`;
      reached.set(label, [...(reached.get(label) ?? []), await measureStorage(storage, writers, batchSize)]);
    }
  }
  const ceiling = median(ceilings);
  console.log(`bare staged COPY: ${Math.round(ceiling)} records/s`);
  for (const [label, rates] of reached) {
    const rate = median(rates);
    console.log(
      `${label.padStart(10)} (writers × batch): ${Math.round(rate)} records/s, ${(rate / ceiling).toFixed(2)}`,
    );
  }
  await storage.close();
  await client.end();
} finally {
  await server.stop();
  await rm(parent, { recursive: true, force: true });
}
