import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import type { NewMessage } from '../../../src/model/records.js';
import { parseExactJson } from '../../../src/protocol/exact-json.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { answerText } from '../../support/go-indexer/go-answers.js';
import { loadGoRows, readGoAnswers } from '../../support/go-indexer/go-database.js';
import { beyondBoundaries, GoMove, START_MS, writeHistory } from '../../support/go-indexer/go-move.js';
import type { GoWriter } from '../../support/go-indexer/go-writer.js';
import { createTestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker, type RecordMaker } from '../../support/records.js';

const HOUR_MS = 3_600_000;

let move: GoMove;
beforeEach(async () => {
  move = await GoMove.begin();
});
afterEach(async () => {
  await move.end();
});

describe('an import of the rows that a Go indexer wrote itself', () => {
  test('promise 10: answers as it did, but for rows that fail a check, which stand in quarantine', async () => {
    await loadGoRows(move.go);
    const opened = move.open();
    expect(await opened.check()).toMatchObject({ problems: [], zoneSampled: 133 });
    await move.follow(opened);
    const report = await opened.finish();
    expect(report.theirs).toEqual({ messages: 183, verifierResults: 137 });
    expect(report.ours).toEqual({ messages: 183, verifierResults: 135 });
    expect(report.quarantined).toEqual({ 'verifier_results discovery_only': 2 });
    const { compared, differing } = await move.differences(await move.writer());
    expect(compared).toBe(320);
    const quarantined = await move.target.queryQuarantine({ afterPosition: 0n, limit: 1_000 });
    const idsOf = (texts: readonly (string | null)[]) => texts.map((text) => JSON.parse(text ?? '{}').messageId).sort();
    expect(differing.filter(({ ours }) => ours !== null)).toEqual([]);
    expect(idsOf(differing.map(({ theirs }) => theirs))).toEqual(quarantined.map(({ messageId }) => messageId).sort());

    // and as it told them itself
    const { messages } = (await move.api.get('/v1/messages?limit=1000')).json() as { messages: object };
    const { verifierResults } = (await move.api.get('/v1/verifierresults?limit=1000')).json() as {
      verifierResults: object;
    };
    const ours = new Set([...Object.values(messages), ...Object.values(verifierResults).flat()].map(answerText));
    const told = (await readGoAnswers()).map((line) => parseExactJson(line) as { message?: unknown; result?: unknown });
    const missing = told.filter(({ message, result }) => !ours.has(answerText(message ?? result)));
    expect(told).toHaveLength(320);
    expect(missing).toHaveLength(quarantined.length);
  });
});

describe('an import out of a Go indexer’s database', () => {
  let writer: GoWriter;
  let make: RecordMaker;
  beforeEach(async () => {
    writer = await move.writer();
    make = createRecordMaker(11);
  });

  test('takes the cursors of aggregators over, and tells of those that are not configured', async () => {
    const [known, fresh, other] = ['a.example:443', 'b.example:443', 'c.example:443'];
    await move.go.sql(`INSERT INTO indexer.discovery_state VALUES ($1, 576), ($2, 7), ($3, 20)`, [known, fresh, other]);
    const discoveries = [
      { name: 'primary', address: known, since: 1n },
      { name: 'fresh', address: fresh, since: 7n },
    ];
    const opened = move.open({ discoveries });
    const taken = { taken: [{ name: 'primary', height: 575n }], unknown: [{ location: other, sequence: 20n }] };
    expect((await opened.check()).discoveries).toEqual(taken);
    expect((await opened.finish()).discoveries).toEqual(taken);
    expect(await move.target.getCursor('discovery:primary')).toMatchObject({ height: 575n, hash: null });
    expect(await move.target.getCursor('discovery:fresh')).toBeNull();
  });

  test('needs no more than SELECT, and says which grant is missing', async () => {
    await writeHistory(writer, make, 10);
    const role = `reader_${move.go.name}`;
    await move.go.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
    try {
      const source = { ...move.go.connection, user: role, password: 'x' };
      expect((await move.open({ source }).check()).problems[0]).toMatchObject({ code: 'privileges' });
      await move.go.sql(`GRANT USAGE ON SCHEMA indexer TO ${role}`);
      await move.go.sql(`GRANT SELECT ON ALL TABLES IN SCHEMA indexer TO ${role}`);
      const opened = move.open({ source });
      expect((await opened.check()).problems).toEqual([]);
      expect(await opened.finish()).toMatchObject({
        ours: { messages: 10, verifierResults: 10 },
        sessions: [{ application: 'indexer' }],
      });
    } finally {
      await move.go.sql(`DROP OWNED BY ${role}`);
      await move.go.sql(`DROP ROLE ${role}`);
    }
  });

  test('fills an empty database alone, and goes on from the same tables alone', async () => {
    await writeHistory(writer, make, 30);
    await move.open().step();
    await move.go.sql('CREATE TABLE indexer.restored (LIKE indexer.messages INCLUDING ALL)');
    await move.go.sql('INSERT INTO indexer.restored SELECT * FROM indexer.messages');
    await move.go.sql('DROP TABLE indexer.messages');
    await move.go.sql('ALTER TABLE indexer.restored RENAME TO messages');
    await expect(move.open().step()).rejects.toMatchObject({ code: 'IMPORT_TARGET' });
    const used = await createTestDatabase();
    const target = createPostgresStorage({ connection: used.connection, common: createCommon() });
    await target.insertBatch({ messages: [make.message()] });
    await expect(move.open({ target }).step()).rejects.toThrow('the target is not empty');
    await target.close();
    await used.drop();
  });

  test('takes ids and addresses as they are spelled, and an id in two spellings once', async () => {
    const [message] = (await writeHistory(writer, make, 1)) as [NewMessage];
    const padded: Hex = `0x${'0'.repeat(24)}${message.messageCCVAddresses[0]?.slice(2)}`;
    const result = make.result(message, 0, { source: padded });
    await writer.results([{ result, atMs: START_MS + 50 }]);
    const opened = move.open();
    await move.follow(opened);
    expect((await move.differences(writer)).differing).toEqual([]);
    await move.go.sql(
      `INSERT INTO indexer.messages SELECT '0x' || upper(substr(message_id, 3)), message, status, lasterr,
         source_chain_selector, dest_chain_selector, ingestion_timestamp, message_ccv_addresses FROM indexer.messages`,
    );
    expect((await opened.finish()).ours).toEqual({ messages: 1, verifierResults: 2 });
    const used = await createTestDatabase();
    const target = createPostgresStorage({ connection: used.connection, common: createCommon() });
    expect((await move.open({ target }).finish()).ours).toEqual({ messages: 1, verifierResults: 2 });
    await target.close();
    await used.drop();
  });

  test('promise 10: a row that fails stands alone, once, with its bytes, until it is whole', async () => {
    const [good] = await writeHistory(writer, make, 10);
    const lonely = make.message({ executor: make.hex(20) });
    await writer.discover({ messages: [{ message: lonely, atMs: START_MS + 100 }], results: [] });
    const id = (good as NewMessage).messageId;
    const wrongId = id.replace(/.$/, id.endsWith('0') ? '1' : '0');
    await move.go.sql(
      `INSERT INTO indexer.messages SELECT $1, message, status, lasterr, source_chain_selector, dest_chain_selector,
         'infinity', message_ccv_addresses FROM indexer.messages WHERE message_id = $2`,
      [wrongId, id],
    );
    const early = make.message();
    await writer.results([{ result: make.result(early), atMs: Date.now() + 48 * HOUR_MS }]);
    const opened = move.open();
    await move.follow(opened);
    expect((await move.target.boundaryAt({ ms: Number.MAX_SAFE_INTEGER })).ingestionMs).toBe(START_MS + 100);
    const quarantined = () => move.target.queryQuarantine({ afterPosition: 0n, limit: 10 });
    expect((await quarantined()).map(({ reason, messageId }) => [reason, messageId])).toEqual([
      ['time', early.messageId],
      ['time', wrongId],
      ['addresses_unknown', lonely.messageId],
    ]);
    expect(Buffer.from((await quarantined())[1]?.raw ?? []).toString()).toContain(`"message_id":"${wrongId}"`);
    // its result names the executor
    await writer.results([{ result: make.result(lonely), atMs: START_MS + 200 }]);
    await expect(opened.finish()).resolves.toMatchObject({ ours: { messages: 11, verifierResults: 11 } });
    expect(await move.target.getMessage(lonely.messageId)).toMatchObject({ ingestionMs: START_MS + 100 });
    expect(await quarantined()).toHaveLength(3);
  });
});

describe('the zone of the messages’ times', () => {
  test('is refused when the results’ times contradict it, with the likely one', async () => {
    const writer = await move.writer('Europe/Berlin');
    const make = createRecordMaker(12);
    for (const month of [1, 7]) await writeHistory(writer, make, 20, Date.UTC(2026, month, 10));
    const [problem] = (await move.open({ zone: 'UTC' }).check()).problems;
    expect(problem).toMatchObject({ code: 'zone', nextStep: expect.stringContaining('"Europe/Amsterdam"') });
    expect((await move.open({ zone: '+02:00' }).check()).problems).toMatchObject([{ code: 'zone' }]);
    const opened = move.open({ zone: 'Europe/Berlin' });
    expect(await opened.check()).toMatchObject({ problems: [], zoneSampled: 40 });
    await opened.finish();
    expect((await move.differences(writer, 'Europe/Berlin')).differing).toEqual([]);
  });

  test('is refused when messages are from the future', async () => {
    const writer = await move.writer('+05:00');
    await writer.discover({ messages: [{ message: createRecordMaker(14).message(), atMs: Date.now() }], results: [] });
    const [problem] = (await move.open({ zone: 'UTC' }).check()).problems;
    expect(problem).toMatchObject({ code: 'zone', message: expect.stringContaining('minutes from now') });
    expect((await move.open({ zone: '+05:00' }).check()).problems).toEqual([]);
  });

  test('has hours that come twice: the results tell which, and a time that never was is quarantined', async () => {
    const writer = await move.writer('Europe/Berlin');
    const make = createRecordMaker(13);
    const foldMs = Date.parse('2026-10-25T00:30:00Z');
    const [first] = await writeHistory(writer, make, 1, foldMs);
    const [second] = await writeHistory(writer, make, 1, foldMs + HOUR_MS);
    await writeHistory(writer, make, 30, foldMs + HOUR_MS / 4);
    await writeHistory(writer, make, 30, foldMs + 2 * HOUR_MS);
    const gap = make.message();
    await writer.discover({ messages: [{ message: gap, atMs: foldMs }], results: [] });
    await move.go.sql(`UPDATE indexer.messages SET ingestion_timestamp = '2026-03-29 02:30' WHERE message_id = $1`, [
      gap.messageId,
    ]);
    const opened = move.open({ zone: 'Europe/Berlin' });
    const report = await opened.finish();
    expect(report).toMatchObject({ doubts: { folded: 32 }, quarantined: { 'messages local_time_gap': 1 } });
    const timeOf = async (message: NewMessage | undefined) =>
      (await move.target.getMessage((message as NewMessage).messageId)).ingestionMs;
    expect(await timeOf(first)).toBe(foldMs);
    expect(await timeOf(second)).toBe(foldMs + HOUR_MS);
    expect(await beyondBoundaries(move.home)).toBe(0);
  });
});
