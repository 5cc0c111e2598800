import { execFile, spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../scripts/devnet/postgres/embedded-postgres.js';
import { silentLogger } from '../../src/core/logger.js';
import { ROOT } from './pages.js';
import { createTemplateDatabase } from './postgres/template.js';

const run = promisify(execFile);

/**
 * Prepares what all test files share: the built program, its bundle, and one Postgres server with a migrated template
 * database. `test/support/postgres.ts` hands out databases of it.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  buildWhenStale();
  // else each worker would make it at its first start
  const bundled = run(process.execPath, ['scripts/bundled/run.mjs', 'src/cli/main.ts', '--version'], { cwd: ROOT });
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
  await bundled;
  if (!server.tcp) throw new Error('the server does not listen on TCP');
  project.provide('postgres', { socket: server.connection, tcp: server.tcp });
  project.provide('scratch', parent);
  return async () => {
    await server.stop();
    // S3 servers die with the processes that ran the tests, and may be about to
    await rm(parent, { recursive: true, force: true, maxRetries: 10 });
  };
}

/** `scripts/ccv-indexer.mjs` runs the source where the build fails; types that do not fit are `npm run typecheck`'s to tell. */
function buildWhenStale(): void {
  const changed = spawnSync('find', ['src', '-newer', 'dist/cli/main.js'], { cwd: ROOT });
  if (changed.status !== 0 || changed.stdout.length > 0) spawnSync('npm', ['run', 'build'], { cwd: ROOT });
}
