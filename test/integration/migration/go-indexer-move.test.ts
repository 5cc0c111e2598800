import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStorage } from '../../../src/app/open-storage.js';
import { parseConfig } from '../../../src/config/load.js';
import { createCommon } from '../../../src/core/common.js';
import { runHere } from '../../support/e2e/run-here.js';
import { eventually } from '../../support/eventually.js';
import { GoMove, writeHistory } from '../../support/go-indexer/go-move.js';
import { createRecordMaker } from '../../support/records.js';

let move: GoMove;
let folder: string;
let file: string;
let table: Parameters<typeof parseConfig>[0];
beforeEach(async () => {
  move = await GoMove.begin();
  folder = await mkdtemp(join(tmpdir(), 'ccv-go-move-'));
  file = join(folder, 'indexer.toml');
  table = {
    Storage: {
      Strategy: 'sink',
      Sink: { Storages: [{ Name: 'home', Type: 'postgres', Postgres: { URI: move.home.uri } }] },
    },
    Migration: { To: 'home', RowsPerSecond: 1_000_000, GoIndexer: { URI: move.go.uri, TimeZone: 'UTC' } },
  };
  await writeFile(file, stringify(table));
});
afterEach(async () => {
  await move.end();
  await rm(folder, { recursive: true });
});

const run = async (...words: readonly string[]) => await runHere(['migration', ...words, '-c', file]);

test('the commands bring its records over while it writes, and processes wait for the switch', async () => {
  const writer = await move.writer();
  const make = createRecordMaker(1201);
  const messages = await writeHistory(writer, make, 60);
  const common = createCommon();
  const stop = new AbortController();
  const opening = openStorage(parseConfig(table, 'test.toml'), common, 'write', stop.signal);

  expect(await run('start')).toMatchObject({ error: { code: 'MOVE_REFUSED' } });
  expect(await run('prepare', '--dry-run')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('would be done'),
  });
  expect(await run('prepare', '--from', 'go-indexer', '--to', 'home')).toMatchObject({ code: 0 });
  expect(await run('start')).toMatchObject({ code: 0 });
  expect(await run('backfill', '--no-wait')).toMatchObject({ code: 0 });
  // it goes on writing
  await writeHistory(writer, make, 20, Date.parse('2026-06-02T00:00:00Z'));
  for (const { messageId } of messages.slice(0, 10)) await writer.status(messageId, 'SUCCESS');
  expect(await run('switch')).toMatchObject({ error: { message: expect.stringContaining('compare') } });
  expect(await run('compare')).toMatchObject({ code: 0, stdout: expect.stringContaining('160 rows: 0 differences') });

  // a row that is not what it became
  await move.home.sql('UPDATE ccv.verifier_results SET ccv_data = $1 WHERE message_id = $2', [
    Buffer.from('damaged'),
    Buffer.from(messages[3]!.messageId.slice(2), 'hex'),
  ]);
  expect(await run('compare')).toMatchObject({ code: 1, stdout: expect.stringContaining('1 differences') });
  expect(await run('switch')).toMatchObject({ error: { message: expect.stringContaining('it found 1') } });
  expect(await run('compare', '--repair')).toMatchObject({ code: 0, stdout: expect.stringContaining('1 repaired') });
  expect(await run('status')).toMatchObject({ code: 0, stdout: expect.stringContaining('phase: comparing') });

  const switched = await run('switch');
  expect(switched).toMatchObject({ code: 0, stdout: expect.stringContaining('taken over: 80 of 80 messages') });
  expect(switched.stdout).toContain('verifier names');
  const opened = await opening;
  expect((await opened.sink.countMessages({})).count).toBe(80);
  const more = make.message();
  await opened.sink.insertBatch({ messages: [more] });
  expect(await run('finish')).toMatchObject({ code: 0, stdout: expect.stringContaining('phase: finished') });
  expect((await opened.sink.getMessage(more.messageId)).messageId).toBe(more.messageId);
  await opened.close();
});

test('a move that is rolled back after the switch leaves the new database without a lead', async () => {
  const writer = await move.writer();
  const make = createRecordMaker(1202);
  await writeHistory(writer, make, 10);
  for (const command of ['prepare', 'start', 'backfill', 'compare', 'switch'] as const)
    expect(await run(command, ...(command === 'backfill' ? ['--no-wait'] : [])), command).toMatchObject({ code: 0 });
  const opened = await openStorage(parseConfig(table, 'test.toml'), createCommon(), 'write');
  expect(await run('rollback')).toMatchObject({ code: 0, stdout: expect.stringContaining('phase: rolled-back') });
  await expect(opened.sink.insertBatch({ messages: [make.message()] })).rejects.toMatchObject({
    code: 'STORAGE_HANDED_OVER',
  });
  await eventually('the storage is not healthy', async () => !(await opened.sink.health()).healthy);
  await opened.close();
});

test('refuses a wrong time zone and an unknown aggregator before anything is written', async () => {
  const writer = await move.writer('America/New_York');
  await writeHistory(writer, createRecordMaker(1203), 40);
  await move.go.sql(
    `INSERT INTO indexer.discovery_state (discovery_location, last_sequence_number, updated_at)
     VALUES ('other.example.org:443', 7, now())`,
  );
  const refused = await run('prepare', '--dry-run');
  expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('other.example.org:443') });
  expect(refused.stdout).toMatch(/NO {3}the tables of the Go indexer can be read, and their times understood/);
  expect((await move.target.moves.look()).record).toBeNull();
});

test('a database that leads is not taken for a new one', async () => {
  await writeHistory(await move.writer(), createRecordMaker(1204), 5);
  await move.target.insertBatch({ messages: [createRecordMaker(1205).message()] });
  expect(await run('prepare')).toMatchObject({ error: { message: expect.stringContaining('home is empty') } });
  await move.target.insertBatch({ messages: [createRecordMaker(1206).message()] });
});
