import { describe, expect, it } from 'vitest';
import { runCli } from '../support/e2e/cli.js';
import { flushed, lived, openWorker } from '../support/e2e/cold-namespace.js';
import { commandFixture } from '../support/e2e/fixture.js';
import { get, listMessages } from '../support/e2e/http.js';
import { startServiceProcess } from '../support/e2e/service.js';
import { bucketTable } from '../support/e2e/tiers.js';
import { eventually } from '../support/eventually.js';
import { copyDatabase } from '../support/postgres/postgres.js';
import { createRecordMaker } from '../support/records.js';
import { createTestS3Store } from '../support/s3/object-store.js';
import { newBucketName } from '../support/s3/server.js';
import { s3ServerFixture } from '../support/s3/server-fixture.js';

const fixture = commandFixture();
const s3 = s3ServerFixture();

describe('after a failover to a replica that lacks the last commits', () => {
  it('promise 3: a replica denies nothing and names the way back, which brings everything back under it', async () => {
    const bucket = newBucketName();
    const store = await createTestS3Store(s3.server, { bucket });
    const table = { s3: bucketTable(s3.server, bucket) };
    const before = fixture.tiersOf('failedover', table);
    await lived(before, 21, store);
    const replica = await copyDatabase(fixture.database);
    const make = createRecordMaker(22);
    const worker = await openWorker(before, store);
    const lost = make.message();
    await worker.sink.insertBatch({ messages: [lost], verifierResults: [make.result(lost)] });
    await flushed(worker);
    await worker.close();
    await store.close();

    const tiers = fixture.tiersOf('failedover', { ...table, uri: replica.uri });
    const api = await startServiceProcess('api', tiers.file);
    const results = (id: string) => get(`${api.apiUrl}/v1/verifierresults/${id}`);
    for (const path of ['messages', 'verifierresults'])
      expect(await get(`${api.apiUrl}/v1/${path}?limit=1000`)).toMatchObject({
        status: 503,
        text: expect.stringContaining('ccv-indexer storage restore'),
      });
    expect(await results(make.message().messageId)).toMatchObject({
      status: 503,
      text: expect.stringContaining('ccv-indexer storage restore'),
    });
    expect(await results(lost.messageId)).toMatchObject({ status: 200 });

    const both = await startServiceProcess('start', tiers.file);
    expect(await get(`${both.apiUrl}/v1/messages`)).toMatchObject({ status: 503 });
    const { text: status } = await get(`${both.adminUrl}/status`);
    expect(status).toContain('FOLLOWER_AHEAD');
    expect(await both.cli.stop()).toEqual({ code: 0, signal: null });

    const restored = await runCli(['storage', 'restore', '--force', '-c', tiers.file]);
    expect(restored.code, restored.stderr).toBe(0);
    expect(restored.stdout).toMatch(/warm took \d+ records from cold/);
    expect(restored.stdout).not.toContain('DIFFERS');
    await eventually('the replica goes on by itself', async () => {
      const listed = await listMessages(api.apiUrl).catch(() => null);
      return listed?.has(lost.messageId) === true;
    });
    expect(await results(make.message().messageId)).toMatchObject({ status: 404 });
    expect(await api.cli.stop()).toEqual({ code: 0, signal: null });
    await replica.drop();
  });
});
