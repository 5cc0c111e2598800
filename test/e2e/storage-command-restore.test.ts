import { describe, expect, it } from 'vitest';
import { createCommon } from '../../src/core/common.js';
import { migrate } from '../../src/storage/postgres/migrate/migrations.js';
import { createPostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { everything } from '../contract/subject.js';
import { startCli } from '../support/e2e/cli.js';
import { coldAnswers, dropSchema, flushed, lived, openWorker } from '../support/e2e/cold-namespace.js';
import { commandFixture } from '../support/e2e/fixture.js';
import { eventually } from '../support/eventually.js';
import { dumpDatabase } from '../support/postgres/database-dump.js';
import { createRecordMaker } from '../support/records.js';
import { liveEventfully } from '../support/sink/eventful-life.js';

const common = createCommon();
const fixture = commandFixture();
const { tiersOf } = fixture;

interface RestoreJson {
  readonly fromPosition: string;
  readonly throughPosition: string;
  readonly changes: Readonly<Record<string, number>>;
  readonly compared: readonly { readonly what: string; readonly first: number; readonly same: boolean }[];
}

describe('storage restore', () => {
  it('rebuilds a database that was dropped, equal record by record, and workers go on from there', async () => {
    const tiers = tiersOf('restored');
    await lived(tiers, 6);
    const before = await dumpDatabase(fixture.database, tiers.namespace);
    await tiers.run('compact', '--full');
    await dropSchema(tiers);
    const { code, stdout, stderr } = await tiers.run('restore');
    expect(code, stderr).toBe(0);
    expect(await dumpDatabase(fixture.database, tiers.namespace)).toEqual(before);
    expect(stdout).toMatch(/warm took \d+ records from cold in .* \(\d[\d ]* records\/s\)/);
    expect(stdout).not.toContain('DIFFERS');

    const again = await tiers.json<RestoreJson>('restore');
    expect(again.code).toBe(0);
    expect(again.value.fromPosition).toBe(again.value.throughPosition);
    expect(again.value.compared.map(({ same }) => same)).toEqual([true, true, true, true, true]);

    const worker = await openWorker(tiers);
    await liveEventfully(worker.sink, createRecordMaker(66), 2);
    await flushed(worker);
    const expected = await everything(worker.sink);
    await worker.close();
    expect(await coldAnswers(tiers)).toEqual(expected);
    const nothingLost = await tiers.run('restore');
    expect(nothingLost.code, nothingLost.stderr).toBe(0);
    expect(nothingLost.stdout).toContain('warm held everything of cold already');
  });

  it('stopped or killed in the middle, goes on where it was and ends the same', async () => {
    const tiers = tiersOf('killed');
    const worker = await openWorker(tiers);
    const make = createRecordMaker(7);
    for (let batch = 0; batch < 60; batch += 1) {
      const messages = Array.from({ length: 250 }, () => make.message());
      await worker.sink.insertBatch({ messages, verifierResults: messages.map((message) => make.result(message)) });
    }
    await flushed(worker);
    await worker.close();
    const before = await dumpDatabase(fixture.database, tiers.namespace);
    await dropSchema(tiers);

    const state = async () => {
      const { rows } = await fixture.database.sql(
        `SELECT last_position::int AS last, head_position::int AS head FROM ${tiers.namespace}.ingest_clock`,
      );
      return rows[0] as { last: number; head: number };
    };
    let last = 0;
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const restoring = startCli(['storage', 'restore', '-c', tiers.file]);
      await eventually('some more of it to be restored', async () => {
        return (await state().catch(() => ({ last: 0 }))).last > last;
      });
      restoring.kill(signal);
      const stopped = { code: 130, signal: null };
      expect(await restoring.exited).toEqual(signal === 'SIGTERM' ? stopped : { code: null, signal });
      const found = await state();
      expect(found.last).toBeLessThan(found.head);
      last = found.last;
    }
    const status = await tiers.run('status', '--backend', 'warm');
    expect(status.stdout).toContain('NOT COMPLETE: at position');

    const resumed = await tiers.json<RestoreJson>('restore');
    expect(resumed.code).toBe(0);
    expect(Number(resumed.value.fromPosition)).toBeGreaterThanOrEqual(last);
    expect(await dumpDatabase(fixture.database, tiers.namespace)).toEqual(before);
  });

  it('is refused while another process is connected, and from a cold tier that holds nothing', async () => {
    const tiers = tiersOf('connected');
    await lived(tiers, 8);
    await dropSchema(tiers);
    await migrate({ connection: fixture.database.connection, namespace: tiers.namespace });
    const other = createPostgresStorage({
      name: 'other',
      connection: fixture.database.connection,
      namespace: 'connected',
      common,
    });
    other.subscribe(() => undefined);
    expect((await other.countMessages({})).count).toBe(0);
    const busy = await tiers.run('restore');
    expect(busy.code).toBe(1);
    expect(busy.stderr).toContain('RESTORE_TARGET_BUSY');
    const forced = await tiers.run('restore', '--force');
    expect(forced.code, forced.stderr).toBe(0);
    expect((await other.countMessages({})).count).toBeGreaterThan(0);
    await other.close();

    const empty = await tiersOf('empty').run('restore');
    expect(empty.code).toBe(1);
    expect(empty.stderr).toContain('RESTORE_NOTHING');
  });
});
