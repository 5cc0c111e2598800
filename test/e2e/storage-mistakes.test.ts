import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { TomlTable } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { runCli, startCli } from '../support/e2e/cli.js';
import { lived } from '../support/e2e/cold-namespace.js';
import { commandFixture } from '../support/e2e/fixture.js';
import { writeConfig } from '../support/e2e/service.js';
import { bucketTable } from '../support/e2e/tiers.js';
import { createTestS3Store } from '../support/s3/object-store.js';
import { newBucketName } from '../support/s3/server.js';
import { s3ServerFixture } from '../support/s3/server-fixture.js';
import { startS3Proxy } from '../support/s3/server-proxy.js';

const fixture = commandFixture();
const { tiersOf } = fixture;
const COMMANDS = ['verify', 'compact', 'vacuum', 'restore'];

describe('a namespace that is not there', () => {
  it('is an error that names it and the place, and nothing is made where it would be', async () => {
    const tiers = tiersOf('mistyped');
    for (const command of COMMANDS) {
      const { code, stdout, stderr } = await tiers.run(command);
      expect({ command, code, stdout }).toEqual({ command, code: 1, stdout: '' });
      expect(stderr).toContain(`(${tiers.coldDirectory}) holds nothing of namespace mistyped: correct Namespace`);
    }
    expect(existsSync(tiers.coldDirectory)).toBe(false);
    const { rows } = await fixture.database.sql(`SELECT 1 FROM pg_namespace WHERE nspname = 'mistyped'`);
    expect(rows).toEqual([]);
  });

  it('is behind by positions only in status: nobody knows since when', async () => {
    const tiers = tiersOf('flushless');
    await lived(tiers, 1);
    const elsewhere = tiersOf('flushless', { s3: { Directory: join(fixture.directory, 'nobody-flushed') } });
    expect((await elsewhere.run('status')).stdout).toMatch(/^ {2}\d+ positions behind$/m);
  });
});

describe('on a real S3 server', () => {
  const s3 = s3ServerFixture();

  it.each<[string, string[], string, TomlTable]>([
    ['verify', ['storage', 'verify'], '(NoSuchBucket): create the bucket', { Bucket: 'nowhere' }],
    ['restore', ['storage', 'restore'], '(InvalidAccessKeyId): correct AccessKeyID', { AccessKeyID: 'nobody' }],
    ['api', ['api', '--migrate'], '(SignatureDoesNotMatch): correct SecretAccessKey', { SecretAccessKey: 'wrong' }],
  ])('%s, which only reads, says what to correct when it may not', async (_name, args, message, mistake) => {
    const bucket = newBucketName();
    await (await createTestS3Store(s3.server, { bucket })).close();
    const { accessKeyId: AccessKeyID, secretAccessKey: SecretAccessKey } = s3.server.credentials;
    const right = { Endpoint: s3.server.endpoint, Bucket: bucket, Region: s3.server.region, ForcePathStyle: true };
    const tiers = tiersOf('refused', { s3: { ...right, AccessKeyID, SecretAccessKey, ...mistake } });
    const { code, stdout, stderr } = await runCli([...args, '-c', tiers.file]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`at ${s3.server.endpoint} ${message}`);
    expect((await tiers.run('status', '--backend', 'cold')).stdout).toContain(message);
  });
});

describe('before a real S3 server that will not do', () => {
  const s3 = s3ServerFixture();

  it.each(['start', 'api'])('%s ends at once, names the setting, and leaves nothing in the bucket', async (role) => {
    const bucket = newBucketName();
    const store = await createTestS3Store(s3.server, { bucket });
    if (role === 'api') await store.putIfAbsent('object', Buffer.from('x'));
    const proxy = await startS3Proxy(s3.server);
    const body = '<Error><Code>NotImplemented</Code></Error>';
    proxy.always(({ headers }) =>
      Object.keys(headers).some((name) => /^x-amz-(sdk-)?checksum/.test(name))
        ? { kind: 'answer', status: 501, body }
        : { kind: 'pass' },
    );
    const tiers = tiersOf('unwilling', { s3: { ...bucketTable(s3.server, bucket), Endpoint: proxy.endpoint } });
    const { code, stderr } = await runCli([role, '--migrate', '-c', tiers.file]);
    expect(code).toBe(1);
    expect(stderr).toContain('(NotImplemented): set ChecksumMode = "when_required"');
    expect((await store.list('')).objects.map(({ key }) => key)).toEqual(role === 'api' ? ['object'] : []);
    await proxy.stop();
    await store.close();
  });
});

describe('Ctrl-C', () => {
  it('ends storage verify with code 130 while an object store says nothing', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const place = { Endpoint: `http://127.0.0.1:${port}`, Bucket: 'b', Region: 'us-east-1', ForcePathStyle: true };
    // far beyond what this test may take
    const patient = { ...place, AccessKeyID: 'a', SecretAccessKey: 'b', RequestTimeout: 600, Grace: 7_200 };
    const connected = new Promise((resolve) => silent.once('connection', resolve));
    const cli = startCli(['storage', 'verify', '-c', tiersOf('voiceless', { s3: patient }).file]);
    await connected;
    cli.interrupt();
    expect(await cli.exited).toEqual({ code: 130, signal: null });
    silent.close();
  });

  it.each(['status', 'restore'])(
    'ends storage %s with code 130 while a database says nothing, and says that it was heard',
    async (command) => {
      const silent = createServer(() => undefined);
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      const { port } = silent.address() as { port: number };
      const tiers = tiersOf(`silent_${command}`);
      await lived(tiers, 1);
      const waiting = tiersOf(`silent_${command}`, { uri: `postgresql://ccv@127.0.0.1:${port}/ccv` });
      const connected = new Promise((resolve) => silent.once('connection', resolve));
      const cli = startCli(['storage', command, '-c', waiting.file]);
      await connected;
      cli.interrupt();
      expect(await cli.exited).toEqual({ code: 130, signal: null });
      expect(cli.stdout()).toBe('');
      expect(cli.stderr()).toContain('a second Ctrl-C ends at once');
      silent.close();
    },
  );
});

describe('config check', () => {
  it('refuses what no command can use, and says which commands can use the rest', async () => {
    const file = writeConfig(fixture.directory, 'forgetful.toml', {
      Storage: { Strategy: 'single', Single: { Type: 'memory', Memory: { TTL: 60 } } },
    });
    const { code, stderr } = await runCli(['config', 'check', '-c', file]);
    expect(code).toBe(1);
    expect(stderr).toContain('would forget them: set its Memory.TTL and Memory.MaxSize to 0');
    const alone = await runCli(['config', 'check', '-c', 'config/patterns/single-directory.toml']);
    expect(alone.stdout).toMatch(/^ {2}commands {3}start, api$/m);
  });
});
