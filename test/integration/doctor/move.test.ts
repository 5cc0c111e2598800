import { expect, it } from 'vitest';
import { doctor } from '../../support/doctor/system.js';
import { commandFixture } from '../../support/e2e/fixture.js';
import { runHere } from '../../support/e2e/run-here.js';
import { writeConfig } from '../../support/e2e/service.js';

const fixture = commandFixture();

/** Two schemas of one database, of which one is the old place. */
function moving(newUri = fixture.database.uri): string {
  const backend = (Name: string, URI: string) => ({ Name, Type: 'postgres', Postgres: { URI, Schema: `ccv_${Name}` } });
  return writeConfig(fixture.directory, 'moving.toml', {
    Storage: { Strategy: 'sink', Sink: { Storages: [backend('old', fixture.database.uri), backend('new', newUri)] } },
    Migration: { From: 'old', To: 'new' },
  });
}

it('names a move that is under way, what its comparison found, a lead that is with no database, a database that is away', async () => {
  const file = moving();
  const only = ['--only', 'move,schema,tiers,workers'];
  await runHere(['migrate', 'up', '-c', file]);
  expect(await doctor(file, ...only)).toMatchObject({ code: 0, ids: ['no-worker old'] });
  expect(await runHere(['migration', 'prepare', '-c', file])).toMatchObject({ code: 0 });
  const { code, json, ids } = await doctor(file, ...only);
  expect({ code, ids }).toEqual({ code: 0, ids: ['move-under-way old → new', 'no-worker old'] });
  expect(json.findings).toContainEqual(
    expect.objectContaining({ id: 'move-under-way', evidence: expect.objectContaining({ phase: 'prepared' }) }),
  );

  const state = async (changes: string) => {
    const set = `state = (state::jsonb || '${changes}')::text, revision = revision + 1`;
    await fixture.database.sql(`UPDATE ccv_old.move SET ${set}`);
  };
  await state('{"comparison": {"atMs": 1, "throughPosition": "9", "records": 5, "differences": 2}}');
  expect(await doctor(file, '--only', 'move')).toMatchObject({
    ...{ code: 2, ids: ['move-differs old → new', 'move-under-way old → new'] },
  });
  await state('{"handover": "to", "history": [{"phase": "comparing", "atMs": 1}]}');
  expect(await doctor(file, '--only', 'move')).toMatchObject({
    ...{ code: 3, ids: expect.arrayContaining(['move-without-leader old → new']) },
  });
  const away = moving('postgresql://ccv:hunter2@127.0.0.1:1/ccv');
  expect(await doctor(away, '--only', 'move')).toMatchObject({
    ids: expect.arrayContaining(['move-database-away new']),
  });
});
