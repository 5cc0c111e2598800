import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { startCopy } from '../../../src/storage/postgres/connection/copy-in.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { type CopyWriter, copyMessages } from '../../../src/storage/postgres/rows/copy-writer.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

let database: TestDatabase;
let client: pg.Client;
let storage: PostgresStorage;
beforeEach(async () => {
  database = await createTestDatabase();
  storage = createPostgresStorage({ connection: database.connection, common: createCommon() });
  client = new pg.Client({ ...database.connection, pipeline: true });
  await client.connect();
  await client.query('CREATE TEMP TABLE rows (number bigint PRIMARY KEY, bytes bytea, text text)');
});
afterEach(async () => {
  await client.end();
  await storage.close();
  await database.drop();
});

interface TestRow {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly text: string;
}

const COPY = 'COPY rows (number, bytes, text) FROM STDIN (FORMAT binary)';

function write(writer: CopyWriter, { number, bytes, text }: TestRow): void {
  writer.row(3);
  writer.integer(number);
  writer.bytes(bytes);
  writer.text(text);
}

function messagesOf(rows: readonly TestRow[]): Iterable<Buffer> {
  return copyMessages(rows, (row) => 64 + row.bytes.length + 3 * row.text.length, write);
}

async function stored(): Promise<readonly TestRow[]> {
  const { rows } = await client.query<TestRow>(
    'SELECT number::float8 AS number, bytes, text FROM rows ORDER BY number',
  );
  return rows.map(({ number, bytes, text }) => ({ number, bytes: new Uint8Array(bytes), text }));
}

describe('a copy', () => {
  test('stores rows as they are: of any size, in one chunk or several, and answers behind it are their own', async () => {
    const rows = [0, 1, 100, 260_000, 262_144, 3, 1_000_000, 0, 131_000, 131_000, 131_000].map((size, number) => ({
      number: number === 7 ? 2 ** 53 - 1 : number,
      bytes: new Uint8Array(size).fill(number + 1),
      text: number % 2 === 0 ? '' : '€𝄞'.repeat(number),
    }));
    const copying = startCopy(client, COPY);
    const messages = [...messagesOf(rows)];
    for (const message of messages) copying.send(message);
    const behind = client.query('SELECT 7 AS seven');
    await copying.done;
    expect(messages.length).toBeGreaterThan(3);
    expect((await behind).rows).toEqual([{ seven: 7 }]);
    expect(await stored()).toEqual([...rows].sort((a, b) => a.number - b.number));
  });

  test('that the server refuses is an error, whatever of its rows was sent, and the connection goes on', async () => {
    const row = { number: 1, bytes: new Uint8Array(300_000), text: 'a' };
    for (const [text, code] of [
      ['COPY nothing (number) FROM STDIN (FORMAT binary)', '42P01'],
      [COPY, '23505'],
    ] as const) {
      const copying = startCopy(client, text);
      for (const message of messagesOf([row, { ...row, text: 'b' }])) copying.send(message);
      const behind = client.query('SELECT 7 AS seven');
      await expect(copying.done).rejects.toMatchObject({ code });
      expect((await behind).rows).toEqual([{ seven: 7 }]);
    }
    expect(await stored()).toEqual([]);
  });

  test('that cannot go on stores nothing, and the connection goes on', async () => {
    const copying = startCopy(client, COPY);
    const [first] = messagesOf(
      [1, 2, 3].map((number) => ({ number, bytes: new Uint8Array(200_000), text: String(number) })),
    );
    copying.send(first!);
    copying.fail();
    await expect(copying.done).rejects.toMatchObject({ code: '57014' });
    expect(await stored()).toEqual([]);
  });

  test('over a connection that is lost is an error', async () => {
    client.on('error', () => undefined);
    const copying = startCopy(client, COPY);
    const lost = expect(copying.done).rejects.toThrow();
    await database.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = '${COPY}'`);
    await lost;
    for (const message of messagesOf([{ number: 1, bytes: new Uint8Array(9), text: '' }])) copying.send(message);
    copying.fail();
  });
});

test('promise 1: a batch whose new rows the server refuses stores nothing, and the next one is stored', async () => {
  const make = createRecordMaker(94);
  const results = make.results(300);
  await database.sql(`ALTER TABLE ccv.verifier_results ADD CONSTRAINT made_up CHECK (attestation_ms <> 77)`);
  const refused = storage.insertBatch({
    verifierResults: results.map((result, index) => ({ ...result, attestationMs: index === 250 ? 77 : 78 })),
  });
  await expect(refused).rejects.toMatchObject({ name: 'StorageFailureError' });
  expect((await storage.changesAfter(0n)).headPosition).toBe(0n);
  expect((await storage.insertBatch({ verifierResults: results.slice(0, 3) })).verifierResults).toEqual([
    'inserted',
    'inserted',
    'inserted',
  ]);
});

test('promise 7: rows of every width come back as they were written', async () => {
  const make = createRecordMaker(95);
  const longest = (byte: string) => `0x${byte.repeat(255)}` as const;
  const message = { ...make.message({ dataBytes: 40_000 }), messageCCVAddresses: [longest('ab'), longest('cd')] };
  const result = {
    ...make.result(message, 0, { ccvDataBytes: 700_000 }),
    verifierSourceAddress: longest('01'),
    verifierDestAddress: longest('02'),
    verifierName: '€'.repeat(2_000),
    messageCCVAddresses: message.messageCCVAddresses,
    attestationMs: Number.MAX_SAFE_INTEGER,
    verdict: { verdict: 'invalid', configBlock: 2n ** 63n - 1n } as const,
  };
  await storage.insertBatch({ messages: [message], verifierResults: [result] });
  const { changes } = await storage.changesAfter(0n);
  expect(changes[0]!.record).toMatchObject({ ...message, encodedMessage: Buffer.from(message.encodedMessage) });
  expect(changes[1]!.record).toMatchObject({
    ...result,
    encodedMessage: Buffer.from(result.encodedMessage),
    ccvData: Buffer.from(result.ccvData),
  });
});
