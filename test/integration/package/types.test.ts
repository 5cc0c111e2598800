import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ROOT } from '../../support/e2e/cli.js';
import { e2eDirectory } from '../../support/e2e/service.js';

const run = promisify(execFile);

const CONSUMER = `import { createPostgresStorage, createSink, migrate, type PoolSettings, type PostgresAddress } from 'ccv-indexer';
const connection: PostgresAddress = { connectionString: 'postgresql://localhost/ccv' };
const pool: Partial<PoolSettings> = { maxOpenConnections: 5 };
export const sink = createSink({ backends: [{ storage: createPostgresStorage({ connection, pool }) }] });
export const applied = await migrate({ connection });
`;

test('the package’s types compile in a project that checks them, with nothing but its dependencies', async () => {
  const { path, remove } = e2eDirectory();
  try {
    const modules = join(path, 'node_modules');
    const installed = join(modules, 'ccv-indexer');
    const tsc = join(ROOT, 'node_modules/.bin/tsc');
    await run(tsc, ['-p', ROOT, '--emitDeclarationOnly', '--declaration', '--outDir', join(installed, 'dist')]);
    copyFileSync(join(ROOT, 'package.json'), join(installed, 'package.json'));
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    // a project for Node.js has its types
    for (const name of [...Object.keys(dependencies), '@types/node', 'undici-types']) {
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
    }
    writeFileSync(join(path, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(path, 'consumer.ts'), CONSUMER);
    const options = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--skipLibCheck', 'false', '--noEmit'];
    const { stdout } = await run(tsc, [...options, '--types', 'node', 'consumer.ts'], { cwd: path }).catch(
      (failure: { stdout: string }) => failure,
    );
    expect(stdout).toBe('');
  } finally {
    remove();
  }
}, 60_000);
