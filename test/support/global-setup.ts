import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../scripts/devnet/postgres/embedded-postgres.js';
import { silentLogger } from '../../src/core/logger.js';
import { createTemplateDatabase } from './postgres/template.js';

/**
 * Starts what all test files share: one Postgres server with a migrated template database. `test/support/postgres.ts` hands
 * out databases of it.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const parent = await mkdtemp(join(tmpdir(), 'ccv-test-'));
  // the server runs under another account when the tests run as root
  await chmod(parent, 0o711);
  const server = await startEmbeddedPostgres({
    dataDir: join(parent, 'data'),
    listenAddresses: '127.0.0.1',
    fast: true,
    settings: { max_connections: '200' },
    log: silentLogger,
  });
  await createTemplateDatabase(server.connection);
  if (!server.tcp) throw new Error('the server does not listen on TCP');
  project.provide('postgres', { socket: server.connection, tcp: server.tcp });
  return async () => {
    await server.stop();
    await rm(parent, { recursive: true, force: true });
  };
}
