import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { isEqualBucket } from '../../../src/migration/parity/buckets.js';
import { compareRecords, type ParityReport } from '../../../src/migration/parity/compare.js';
import { repairDifferences } from '../../../src/migration/parity/repair.js';
import { changedRecord } from '../../../src/model/identity.js';
import type { NewMessage } from '../../../src/model/records.js';
import type { BackendStorage } from '../../../src/storage/backend-storage.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { everything } from '../../contract/subject.js';
import { copyDatabase, createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';
import { liveEventfully } from '../../support/sink/eventful-life.js';
import { createLaggingStorage } from '../../support/sink/lagging-storage.js';

describe('records of a follower that differ from the leader’s', () => {
  const make = createRecordMaker(77);
  const common = createCommon();
  let leading: TestDatabase;
  let whole: TestDatabase;
  let a: PostgresStorage;
  let stored: NewMessage[];
  let database: TestDatabase;
  let b: PostgresStorage;
  beforeAll(async () => {
    [leading, whole] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    a = createPostgresStorage({ name: 'leader', connection: leading.connection });
    stored = await liveEventfully(a, make, 12);
    const follower = createPostgresStorage({ name: 'follower', connection: whole.connection });
    await follow(follower);
    await follower.close();
  });
  beforeEach(async () => {
    database = await copyDatabase(whole);
    b = createPostgresStorage({ name: 'follower', connection: database.connection });
  });
  afterEach(async () => {
    await b.close();
    await database.drop();
  });
  afterAll(async () => {
    await a.close();
    await Promise.all([leading.drop(), whole.drop()]);
  });

  async function follow(follower: BackendStorage) {
    for (let position = follower.coverage().throughPosition; ; ) {
      const set = await a.changesAfter(position);
      await follower.apply(set);
      if (set.throughPosition === set.headPosition) return;
      position = set.throughPosition;
    }
  }
  const compare = () =>
    compareRecords({ leader: { storage: a }, follower: { storage: b }, common, pageSize: 50, bucketMs: 1 });
  const repair = ({ differences }: ParityReport) =>
    repairDifferences({ leader: { storage: a }, follower: b, differences });
  const found = ({ differences }: ParityReport) => differences.map(({ what, ref }) => `${what} ${changedRecord(ref)}`);
  const id = (index: number) => Buffer.from(stored[index]!.messageId.slice(2), 'hex');
  const message = (index: number) => `message ${stored[index]!.messageId}`;
  async function sql(text: string, ...values: unknown[]) {
    expect((await database.sql(text.replaceAll('@', 'ccv.'), values)).rowCount).toBeGreaterThan(0);
  }
  async function resultsOf(index: number): Promise<string[]> {
    const results = await a.getCCVData(stored[index]!.messageId).catch(() => []);
    return results.map((record) => changedRecord({ kind: 'verifierResult', record }));
  }
  const clock = async () => (await database.sql('SELECT * FROM ccv.ingest_clock')).rows;

  /** Message 3n has two results, 3n + 1 one and is orphaned, 3n + 2 has none and is told in the quarantine. */
  const DAMAGES: readonly [string, () => Promise<void>, () => Promise<string[]>][] = [
    [
      'a deleted message',
      () => sql('DELETE FROM @messages WHERE message_id = $1', id(0)),
      async () => [`missing ${message(0)}`],
    ],
    [
      'a deleted body, with all that it belongs to',
      () => sql('DELETE FROM @message_bodies WHERE message_id = $1', id(0)),
      async () => [message(0), ...(await resultsOf(0))].map((record) => `missing ${record}`),
    ],
    [
      'a changed byte of a body',
      () => sql('UPDATE @message_bodies SET body = set_byte(body, length(body) - 1, 0) WHERE message_id = $1', id(3)),
      async () => [message(3), ...(await resultsOf(3))].map((record) => `different ${record}`),
    ],
    [
      'a changed byte of a result',
      () =>
        sql(
          'UPDATE @verifier_results SET ccv_data = set_byte(ccv_data, 5, 255 - get_byte(ccv_data, 5)) WHERE message_id = $1',
          id(1),
        ),
      async () => (await resultsOf(1)).map((record) => `different ${record}`),
    ],
    [
      'a wrong time',
      () => sql('UPDATE @messages SET ingestion_ms = ingestion_ms + 1 WHERE message_id = $1', id(2)),
      async () => [`different ${message(2)}`],
    ],
    [
      'a wrong lane, which only lists with chain filters show',
      () => sql('UPDATE @messages SET source_chain = source_chain + 1 WHERE message_id = $1', id(2)),
      async () => [`different ${message(2)}`],
    ],
    [
      'a position above all commits',
      () => sql('UPDATE @messages SET position = 1000000 WHERE message_id = $1', id(6)),
      async () => [`different ${message(6)}`],
    ],
    [
      'a position that belongs to another',
      async () => {
        await sql('DELETE FROM @messages WHERE message_id = $1', id(5));
        const { position } = await a.getMessage(stored[5]!.messageId);
        await sql('UPDATE @messages SET position = $2 WHERE message_id = $1', id(6), position);
      },
      async () => [`missing ${message(5)}`, `different ${message(6)}`],
    ],
    [
      'a record that the leader never had',
      async () => {
        await sql("INSERT INTO @message_bodies SELECT '\\x01', 1, body_hash, body FROM ccv.message_bodies LIMIT 1");
        await sql(
          `INSERT INTO @messages SELECT '\\x01', source_chain, dest_chain, 5, 1000000, 1, 1, 1, 0, false, block_hash,
             transaction_hash, sender, receiver, token, message_number FROM ccv.messages WHERE block_hash IS NOT NULL LIMIT 1`,
        );
      },
      async () => ['surplus message 0x01'],
    ],
    [
      'a lost cursor',
      () => sql('DELETE FROM @source_cursors'),
      async () => (await a.listCursors()).map((record) => `missing ${changedRecord({ kind: 'cursor', record })}`),
    ],
    [
      'a cursor, entries and conflicts of nowhere',
      async () => {
        await sql("INSERT INTO @source_cursors VALUES ('chain:none', 1, NULL, 1000001)");
        await sql(
          `INSERT INTO @quarantine SELECT sha256('source\\000key'), 'source', 'key', reason, detail, raw, NULL, 7, 1000002
           FROM ccv.quarantine LIMIT 1`,
        );
        await sql(
          'UPDATE @conflicts SET stored_hash = received_hash WHERE position = (SELECT min(position) FROM ccv.conflicts)',
        );
      },
      async () => {
        const [conflict] = await a.queryConflicts({ afterPosition: 0n, limit: 1 });
        return [
          'surplus cursor chain:none',
          'surplus quarantine source\0key',
          `different ${changedRecord({ kind: 'conflict', record: conflict! })}`,
        ];
      },
    ],
  ];

  test.each(DAMAGES)('are found and put right: %s', async (_, damage, expected) => {
    const before = await clock();
    await damage();
    const report = await compare();
    expect(found(report).sort()).toEqual((await expected()).sort());
    expect(await repair(report)).toEqual({ mended: report.differences, passedOver: [] });
    const after = await compare();
    expect(after).toMatchObject({ differences: [], records: report.records });
    expect(after.buckets.every(isEqualBucket)).toBe(true);
    expect(await everything(b)).toEqual(await everything(a));
    expect(await clock()).toEqual(before);
    expect((await database.sql("SELECT FROM ccv.message_bodies WHERE message_id = '\\x01'")).rowCount).toBe(0);
  });

  test('a lane that lists do not know is found, for each record in it, and known again', async () => {
    await sql('DELETE FROM @lanes');
    const report = await compare();
    expect(report.differenceCounts).toMatchObject({ missing: 0, surplus: 0 });
    expect(report.differenceCounts.different).toBeGreaterThan(stored.length);
    await repair(report);
    expect((await compare()).differences).toEqual([]);
    expect((await database.sql('SELECT * FROM ccv.lanes')).rowCount).toBe(1);
  });

  test('are passed over once the leader says otherwise', async () => {
    await sql('DELETE FROM @messages WHERE message_id = $1', id(0));
    await sql("INSERT INTO @source_cursors VALUES ('late', 1, NULL, 1000001)");
    const report = await compare();
    expect(report.differences).toHaveLength(2);
    const { origin, messageId } = stored[0]!;
    await a.insertBatch({
      orphanings: [{ messageId, blockHash: origin!.blockHash }],
      cursors: [{ sourceId: 'late', height: 5n, hash: null, expectedHeight: null }],
    });
    expect(await repair(report)).toEqual({ mended: [], passedOver: report.differences });
    // the leader's word is above what the follower holds: following brings it
    const later = report.differences.map((difference) => ({
      ...difference,
      leader: { position: a.coverage().throughPosition, hash: '', ingestionMs: null },
    }));
    expect((await repairDifferences({ leader: { storage: a }, follower: b, differences: later })).mended).toEqual([]);
    await follow(b);
    await repair(await compare());
    expect((await compare()).differences).toEqual([]);
    expect(await everything(b)).toEqual(await everything(a));
  });

  test('are never put right in the database that leads, nor record by record in files', async () => {
    await sql('DELETE FROM @messages WHERE message_id = $1', id(9));
    const { differences } = await compare();
    const turned = repairDifferences({ leader: { storage: b }, follower: a, differences });
    await expect(turned).rejects.toMatchObject({ code: 'MEND_REFUSED' });
    const cold = createLaggingStorage('cold');
    const files = repairDifferences({ leader: { storage: a }, follower: cold.storage, differences });
    await expect(files).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('storage verify'),
    });
    await cold.storage.close();
  });

  test('are all read anew by a memory', async () => {
    const memory = createMemoryStorage({ name: 'memory', maxStalenessMs: 60_000 });
    const set = await a.changesAfter(0n, 100_000);
    await memory.apply({ ...set, changes: set.changes.slice(7) });
    const sides = { leader: { storage: a }, follower: { storage: memory }, common };
    const { differences } = await compareRecords(sides);
    expect(differences).toHaveLength(7);
    await repairDifferences({ leader: { storage: a }, follower: memory, differences });
    expect((await compareRecords(sides)).differences).toEqual([]);
    await memory.close();
  });
});
