import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectionUri } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import { migrationStatus } from '../../../src/storage/postgres/migrate/migrations.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { e2eDirectory } from '../../support/e2e/service.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { startTlsFront, type TlsFront } from '../../support/postgres/tls.js';

describe('sslmode means what it means to libpq', () => {
  const directory = e2eDirectory();
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  let database: TestDatabase;
  let front: TlsFront;
  beforeAll(async () => {
    process.on('warning', onWarning);
    database = await createTestDatabase();
    front = await startTlsFront(database.tcp, directory.path);
  });
  afterAll(async () => {
    process.off('warning', onWarning);
    await front.close();
    await database.drop();
    directory.remove();
    expect(warnings).toEqual([]);
  });

  const open = (host: string, parameters: string) => {
    const uri = connectionUri({ ...database.tcp, host, port: front.port });
    const connectionString = `${uri}?${parameters.replace('CERT', encodeURIComponent(front.certFile))}`;
    return { connectionString };
  };

  test.each([
    ['127.0.0.1', 'sslmode=require'],
    ['127.0.0.1', 'sslmode=no-verify'],
    ['127.0.0.1', 'sslmode=require&sslrootcert=CERT'],
    ['127.0.0.1', 'sslmode=verify-ca&sslrootcert=CERT'],
    ['localhost', 'sslmode=verify-full&sslrootcert=CERT'],
    ['localhost', 'sslmode=verify-full&sslrootcert=CERT&uselibpqcompat=true'],
  ])('%s with %s connects', async (host, parameters) => {
    const storage = createPostgresStorage({ connection: open(host, parameters) });
    expect((await storage.countCCVData({})).count).toBe(0);
    await storage.close();
  });

  test.each([
    ['127.0.0.1', 'sslmode=verify-full&sslrootcert=CERT', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['localhost', 'sslmode=verify-full', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['localhost', 'sslmode=verify-full&sslrootcert=system', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ])('%s with %s is refused for good, with what to change', async (host, parameters, code) => {
    await expect(migrationStatus({ connection: open(host, parameters) })).rejects.toMatchObject({
      retryable: false,
      details: { code, nextStep: expect.stringContaining('sslrootcert') },
    });
  });

  test.each([
    ['sslmode=prefer', /leaves it to the server.*require or disable/],
    ['sslmode=allow', /leaves it to the server/],
    ['sslmode=requir', /is none: write verify-full/],
    ['sslmode=verify-ca', /sslrootcert=/],
    ['sslmode=require&sslrootcert=system', /sslmode=verify-full/],
    ['sslmode=verify-full&sslrootcert=/nowhere/ca.pem', /cannot be used: ENOENT/],
  ])('%s is refused before anything is connected to, and the password is not told', (parameters, message) => {
    const connect = () => createPostgresStorage({ connection: open('localhost', parameters) });
    expect(connect).toThrow(message);
    expect(connect).not.toThrow(database.tcp.password);
  });
});
