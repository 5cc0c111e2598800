import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import type { TomlTable } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { createCommon } from '../../src/core/common.js';
import { createColdStorage } from '../../src/storage/cold/cold-storage.js';
import { createDirectoryObjectStore } from '../../src/storage/cold/object-store/directory/directory-store.js';
import { runCli, startCli } from '../support/e2e/cli.js';
import { dropSchema, lived } from '../support/e2e/cold-namespace.js';
import { commandFixture } from '../support/e2e/fixture.js';
import { listMessages, listResults } from '../support/e2e/http.js';
import { startServiceProcess, writeConfig } from '../support/e2e/service.js';
import { eventually } from '../support/eventually.js';
import { dumpDatabase } from '../support/postgres/database-dump.js';
import { createRecordMaker } from '../support/records.js';
import { createTestS3Store } from '../support/s3/object-store.js';
import { newBucketName } from '../support/s3/server.js';
import { s3ServerFixture } from '../support/s3/server-fixture.js';

const fixture = commandFixture();
const { tiersOf } = fixture;

describe('on a real S3 server', () => {
  const s3 = s3ServerFixture();

  const tableOf = (bucket: string): TomlTable => ({
    Endpoint: s3.server.endpoint,
    Bucket: bucket,
    Region: s3.server.region,
    Prefix: 'some/prefix',
    ForcePathStyle: true,
    AccessKeyID: s3.server.credentials.accessKeyId,
    SecretAccessKey: s3.server.credentials.secretAccessKey,
  });

  it('every command does its work', async () => {
    const bucket = newBucketName();
    const store = await createTestS3Store(s3.server, { bucket, prefix: 'some/prefix' });
    const tiers = tiersOf('bucket', { s3: tableOf(bucket) });
    await lived(tiers, 9, store);
    const before = await dumpDatabase(fixture.database, tiers.namespace);
    for (const command of [
      ['status'],
      ['verify'],
      ['compact', '--full'],
      ['vacuum', '--grace', '0s', '--force'],
      ['verify'],
    ]) {
      const [name = '', ...options] = command;
      const { code, stdout, stderr } = await tiers.run(name, ...options);
      expect({ command, code, stderr }).toMatchObject({ command, code: 0 });
      expect(`${stdout}${stderr}`).not.toContain(s3.server.credentials.secretAccessKey);
    }
    await dropSchema(tiers);
    const { code, stderr } = await tiers.run('restore');
    expect(code, stderr).toBe(0);
    expect(await dumpDatabase(fixture.database, tiers.namespace)).toEqual(before);
    await store.close();
  });

  it('a bucket that does not exist is told apart from one that cannot be reached', async () => {
    const missing = tiersOf('missing', { s3: tableOf(newBucketName()) });
    const { code, stderr } = await runCli(['start', '--migrate', '-c', missing.file]);
    expect(code).toBe(1);
    expect(stderr).toContain('NoSuchBucket');
    expect(stderr).toContain('create the bucket');
  });
});

describe('the place of a cold tier is checked at start', () => {
  it('a server that overwrites in spite of If-None-Match is refused, with what to do', async () => {
    const overwriting = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(200).end());
    });
    await new Promise<void>((resolve) => overwriting.listen(0, '127.0.0.1', resolve));
    const { port } = overwriting.address() as { port: number };
    const tiers = tiersOf('overwriting', { s3: placeAt(port) });
    const { code, stderr } = await runCli(['start', '--migrate', '-c', tiers.file]);
    await new Promise<void>((resolve) => overwriting.close(() => resolve()));
    expect(code).toBe(1);
    expect(stderr).toContain('COLD_STORE_REFUSED');
    expect(stderr).toContain('use a server that honours If-None-Match');
  });

  it('a directory that cannot be made is refused', async () => {
    const blocked = join(fixture.directory, 'a-file');
    writeFileSync(blocked, '');
    const tiers = tiersOf('blocked', { s3: { Directory: join(blocked, 'cold') } });
    const { code, stderr } = await runCli(['start', '--migrate', '-c', tiers.file]);
    expect(code).toBe(1);
    expect(stderr).toContain('create it and let this account read and write there');
  });

  it('a server that is away keeps nobody from starting', async () => {
    const tiers = tiersOf('away', { s3: { ...placeAt(1), MaxAttempts: 1 } });
    const cli = startCli(['start', '--migrate', '-c', tiers.file]);
    await cli.printed(/"msg":"the object store is away: starting without it"/);
    await cli.printed(/"msg":"started"/);
    expect(await cli.stop()).toEqual({ code: 0, signal: null });
  });

  it('a server that accepts and says nothing keeps nobody from starting for long', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const tiers = tiersOf('silent', { s3: { ...placeAt(port), RequestTimeout: 600, Grace: 7_200 } });
    const cli = startCli(['start', '--migrate', '-c', tiers.file]);
    await cli.printed(/"code":"COLD_STORE_SILENT".*"msg":"the object store is away: starting without it"/);
    await cli.printed(/"msg":"started"/);
    expect(await cli.stop()).toEqual({ code: 0, signal: null });
    silent.closeAllConnections();
    await new Promise<void>((resolve) => silent.close(() => resolve()));
  });

  it('a cold tier alone serves one process that does everything and any number of api, and no worker', async () => {
    const place = join(fixture.directory, 'alone');
    const file = writeConfig(fixture.directory, 'alone.toml', {
      Namespace: 'alone',
      API: { ListenAddress: '127.0.0.1', ListenPort: 0 },
      Admin: { ListenAddress: '127.0.0.1', ListenPort: 0 },
      Log: { Format: 'json' },
      Storage: { Strategy: 'single', Single: { Type: 's3', S3: { Directory: place } } },
    });
    const cli = startCli(['start', '-c', file]);
    await cli.printed(/"msg":"started"/);
    expect(await cli.stop()).toEqual({ code: 0, signal: null });
    const { stdout } = await runCli(['storage', 'status', '--json', '-c', file]);
    expect(JSON.parse(stdout)).toMatchObject({ tiers: [{ type: 's3', role: 'leader' }] });
    const { code, stderr } = await runCli(['worker', '-c', file]);
    expect(code).toBe(1);
    expect(stderr).toContain('ROLE_NEEDS_DATABASE');

    const store = createDirectoryObjectStore({ directory: place, common: createCommon() });
    const writer = createColdStorage({ name: 'writer', store, namespace: 'alone', role: 'leader' });
    const make = createRecordMaker(31);
    const [early, late] = [make.message(), make.message()];
    await writer.insertBatch({ messages: [early], verifierResults: [make.result(early)] });
    const api = await startServiceProcess('api', file);
    expect([...(await listMessages(api.apiUrl, 'limit=10')).keys()]).toEqual([early.messageId]);
    expect([...(await listResults(api.apiUrl, 'limit=10')).keys()]).toEqual([early.messageId]);
    await writer.insertBatch({ messages: [late] });
    await eventually('the api to see what another process wrote', async () => {
      const ids = [...(await listMessages(api.apiUrl, 'limit=10')).keys()];
      return ids.length === 2 || ids;
    });
    expect(await api.cli.stop()).toEqual({ code: 0, signal: null });
    await writer.close();
    await store.close();
  });

  function placeAt(port: number): TomlTable {
    return {
      Endpoint: `http://127.0.0.1:${port}`,
      Bucket: 'b',
      Region: 'us-east-1',
      ForcePathStyle: true,
      AccessKeyID: 'a',
      SecretAccessKey: 'b',
    };
  }
});
