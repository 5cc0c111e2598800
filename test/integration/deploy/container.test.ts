import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltImage, buildImage, type Image } from '../../support/container/build-image.js';
import { instructionsOf } from '../../support/container/instructions.js';
import { processesOf } from '../../support/container/root-process.js';
import { endAllCli } from '../../support/e2e/cli.js';
import { hotAndWarm, writeConfig } from '../../support/e2e/service.js';
import { freePort } from '../../support/free-port.js';
import { ROOT } from '../../support/pages.js';
import { createTestDatabase } from '../../support/postgres/postgres.js';

const run = promisify(execFile);
const FILE = join(ROOT, 'config/deploy/container/Containerfile');
const PROGRAM = 'opt/ccv-indexer';
const MIB = 2 ** 20;
/** Of all that the image adds to Node.js. */
const MOST_BYTES = 70 * MIB;

// only root may enter another root
describe.runIf(process.getuid?.() === 0)('the container image', () => {
  let scratch: string;
  let configuration: string;
  let built: BuiltImage;
  let image: Image;
  let version: string;
  let commit: string;
  let start: ReturnType<typeof processesOf>;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'ccv-container-'));
    await chmod(scratch, 0o711);
    const context = join(scratch, 'context');
    configuration = join(scratch, 'configuration');
    for (const directory of [context, configuration]) await mkdir(directory);
    const newer = await run('find', ['src', 'migrations', '-newer', 'dist/cli/main.js'], { cwd: ROOT });
    expect(newer.stdout, 'dist is older than its source: npm run build').toBe('');
    version = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')).version;
    commit = (await readFile(join(ROOT, 'dist/commit'), 'utf8')).trim();
    await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', context], { cwd: ROOT });
    for (const name of ['package.json', 'package-lock.json', '.dockerignore'])
      await run('cp', [join(ROOT, name), context]);
    const args = { VERSION: version, REVISION: commit, SOURCE: 'https://example.org/ccv-indexer' };
    built = await buildImage({ context, file: FILE, args });
    ({ image } = built);
    start = processesOf(image, configuration, built.how === 'buildah');
  });
  afterAll(async () => {
    await endAllCli();
    await built?.remove();
    await rm(scratch, { recursive: true, force: true });
  });

  it('says whose it is, of which commit, and runs as a user without rights', () => {
    expect(image).toMatchObject({
      user: '10001:10001',
      environment: { NODE_ENV: 'production', CCV_INDEXER_CONFIG: '/etc/ccv-indexer/indexer.toml' },
      entrypoint: ['node', `/${PROGRAM}/dist/cli/main.js`],
      command: ['start'],
      labels: {
        'org.opencontainers.image.version': version,
        'org.opencontainers.image.revision': commit,
        'org.opencontainers.image.source': 'https://example.org/ccv-indexer',
        'org.opencontainers.image.licenses': 'MIT',
      },
    });
  });

  it('holds Node.js and the program alone: no compiler, source, test, repository, package manager or cache', async () => {
    const files = await readdir(image.root, { recursive: true });
    expect(files).toEqual(expect.arrayContaining([`${PROGRAM}/dist/cli/main.js`, 'usr/local/bin/node']));
    const ours = files.filter((path) => path.startsWith(`${PROGRAM}/`) && !path.includes('/node_modules/'));
    expect(ours.filter((path) => /\/(test|scripts|\.git)(\/|$)|\.test\.|\.tgz$/.test(path))).toEqual([]);
    expect(ours.filter((path) => /\/src\/.*\.(ts|tsx)$/.test(path))).toEqual([]);
    expect(
      files.filter((path) => /node_modules\/(typescript|npm|vite|vitest|@typescript)\/|\.(ts|map)$/.test(path)),
    ).toEqual(ours.filter((path) => /\/dist\/.*\.(ts|map)$/.test(path)));
    expect(files.filter((path) => /_cacache|\/(npm|npx|corepack|yarn|gcc|make|git)$/.test(path))).toEqual([]);
    // where a builder mounted something, an empty file is left
    const left = ['root', 'tmp', '-type', 'f', '-size', '+0'];
    expect((await run('find', left, { cwd: image.root })).stdout).toBe('');
  });

  it('holds the dependencies of production as package-lock.json pins them, and no others', async () => {
    const { packages } = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { version: string; dev?: true; optional?: true; devOptional?: true; link?: true }>;
    };
    const wanted = Object.entries(packages).filter(
      ([path, { dev, optional, devOptional, link }]) =>
        path.startsWith('node_modules/') && !dev && !optional && !devOptional && !link,
    );
    const lock = JSON.parse(await readFile(join(image.root, PROGRAM, 'node_modules/.package-lock.json'), 'utf8'));
    const versions = (list: readonly (readonly [string, { version: string }])[]) =>
      Object.fromEntries(list.map(([path, entry]) => [path, entry.version]));
    expect(versions(Object.entries(lock.packages))).toEqual(versions(wanted));
  });

  it('adds less than 70 MiB to Node.js, and nothing that its user may change', async () => {
    const size = async (root: string) => Number((await run('du', ['-sb', root])).stdout.split('\t')[0]);
    const added = await size(join(image.root, PROGRAM));
    expect(added).toBeGreaterThan(20 * MIB);
    expect(added).toBeLessThan(MOST_BYTES);
    const own = ['(', '-user', '10001', '-o', '-perm', '-o=w', ')', '-not', '-type', 'l', '-not', '-path', './dev/*'];
    const { stdout } = await run('find', ['.', ...own, '-printf', '%P\n'], { cwd: image.root });
    expect(stdout.split('\n').filter((path) => !['', 'tmp', 'dev'].includes(path))).toEqual(['var/lib/ccv-indexer']);
    expect((await run('find', [image.root, '-perm', '/6000', '-path', '*/opt/*'])).stdout).toBe('');
  });

  it('tells its version and commit, and checks the configuration that it brings', async () => {
    const told = start([...image.entrypoint, '--version']).cli;
    expect(await told.exited).toEqual({ code: 0, signal: null });
    expect(told.stdout()).toMatch(new RegExp(`^ccv-indexer ${version} \\(${commit}\\), Node\\.js v\\d+`));
    const example = (name: string) => `/${PROGRAM}/config/${name}.toml`;
    const checked = start([
      ...['ccv-indexer', 'config', 'check'],
      ...['-c', example('example'), '-s', example('secrets.example')],
    ]).cli;
    expect(await checked.exited).toEqual({ code: 0, signal: null });
    expect(checked.stdout()).toContain('is usable');
  });

  it('runs a worker over Postgres that its healthcheck finds alive, and that drains at SIGTERM', async () => {
    const database = await createTestDatabase({ migrated: false });
    writeConfig(configuration, 'indexer.toml', hotAndWarm({ namespace: 'container', uri: database.uri }));
    await chmod(configuration, 0o755);
    const settings = { CCV_INDEXER__Admin__ListenPort: String(await freePort()) };
    const healthcheck = async () => {
      const [, ...words] = image.healthcheck;
      const check = start(words, settings).cli;
      return { ...(await check.exited), said: check.stderr() };
    };
    try {
      expect(await start([...image.entrypoint, 'migrate', 'up']).cli.exited).toEqual({ code: 0, signal: null });
      expect(await healthcheck()).toMatchObject({ code: 1, said: expect.stringContaining('ECONNREFUSED') });
      const worker = start([...image.entrypoint, 'worker'], settings);
      await worker.cli.printed(/^\{.*"msg":"started".*\}$/m);
      expect(await healthcheck()).toEqual({ code: 0, signal: null, said: '' });
      await worker.kill('SIGTERM');
      expect(await worker.cli.exited).toEqual({ code: 0, signal: null });
      expect(worker.cli.stderr()).toContain('"msg":"stopped"');
    } finally {
      await database.drop();
    }
  });

  it('ends a command at once by SIGTERM, as its first process too', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const uri = `postgresql://ccv@127.0.0.1:${port}/ccv`;
    const table = hotAndWarm({ namespace: 'container', uri });
    writeConfig(configuration, 'indexer.toml', table);
    const command = start([...image.entrypoint, 'migrate', 'up']);
    await Promise.race([once(silent, 'connection'), command.cli.exited]);
    await command.kill('SIGTERM');
    const { code, signal } = await command.cli.exited;
    expect(signal ?? code).toBe(built.how === 'buildah' ? 143 : 'SIGTERM');
    silent.close();
  });
});

it('the build refuses a commit that is not the package’s', async () => {
  const [, check = ''] =
    /(if \[.*? fi)$/.exec(
      instructionsOf(await readFile(FILE, 'utf8')).find(({ text }) => text.includes('dist/commit'))?.text ?? '',
    ) ?? [];
  const inDirectory = async (REVISION: string) =>
    await run('sh', ['-c', check], { cwd: ROOT, env: { ...process.env, REVISION } }).then(
      () => 'taken',
      ({ stderr }) => stderr,
    );
  const commit = (await readFile(join(ROOT, 'dist/commit'), 'utf8')).trim();
  expect(await inDirectory(commit)).toBe('taken');
  expect(await inDirectory('another')).toContain(`REVISION is 'another', and the package was built of '${commit}'`);
});
