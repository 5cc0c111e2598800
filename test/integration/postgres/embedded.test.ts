import { execFile, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import { EmbeddedPostgresError } from '../../../scripts/devnet/postgres/embedded-postgres-errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { createTestDatabase } from '../../support/postgres/postgres.js';

const run = promisify(execFile);
let parent: string;
let running: EmbeddedPostgres[] = [];

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'ccv-embedded-'));
  await chmod(parent, 0o711);
});
afterEach(async () => {
  for (const server of running) await server.stop();
  running = [];
  await rm(parent, { recursive: true, force: true });
});

async function start(options: Partial<Parameters<typeof startEmbeddedPostgres>[0]> = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({
    dataDir: join(parent, 'data'),
    fast: true,
    log: silentLogger,
    ...options,
  });
  running.push(server);
  return server;
}

async function query(connection: pg.ClientConfig, sql: string): Promise<unknown[]> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** A process that nobody has reaped yet does not count. */
async function isAlive(pid: number): Promise<boolean> {
  const { stdout } = await run('ps', ['-p', String(pid), '-o', 'stat=']).catch(() => ({ stdout: '' }));
  return stdout.trim() !== '' && !stdout.startsWith('Z');
}

describe('embedded postgres', () => {
  test('keeps what was written across a stop and a start, and speaks UTF-8', async () => {
    const first = await start();
    await query({ ...first.connection }, `CREATE TABLE kept AS SELECT 'žluť'::text AS word`);
    await first.stop();
    expect(await first.exited).toBeNull();
    const second = await start();
    expect(await query({ ...second.connection }, 'SELECT word FROM kept')).toEqual([{ word: 'žluť' }]);
    expect(await query({ ...second.connection }, 'SHOW server_encoding')).toEqual([{ server_encoding: 'UTF8' }]);
  });

  test('asks for the password over TCP', async () => {
    const server = await start({ listenAddresses: '127.0.0.1' });
    expect(await query({ connectionString: server.uri }, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await expect(query({ ...server.tcp, password: 'wrong' }, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  test('ends with its starter, even when that is killed with -9', async () => {
    const script = join(import.meta.dirname, '../../support/postgres/starter.ts');
    const starter = spawn(process.execPath, ['--import', 'tsx', script, join(parent, 'data')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = await new Promise<number>((resolve) => {
      starter.stdout.setEncoding('utf8').once('data', (text: string) => resolve(Number(text)));
    });
    expect(await isAlive(pid)).toBe(true);
    starter.kill('SIGKILL');
    const again = await start();
    expect(await isAlive(pid)).toBe(false);
    expect(await query({ ...again.connection }, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('starts over a pid file whose pid now belongs to another process', async () => {
    await (await start()).stop();
    await writeFile(join(parent, 'data', 'postmaster.pid'), `${process.pid}\n${join(parent, 'data')}\n`);
    const server = await start();
    expect(server.pid).not.toBe(process.pid);
  });

  test('tells when the server dies', async () => {
    const server = await start();
    process.kill(server.pid, 'SIGKILL');
    expect(await server.exited).toMatch(/SIGKILL/);
  });

  test('refuses a directory that holds something else', async () => {
    await mkdir(join(parent, 'data'));
    await writeFile(join(parent, 'data', 'thesis.txt'), 'dear');
    await expect(start()).rejects.toMatchObject({ code: 'EMBEDDED_POSTGRES_DATA_DIR_FOREIGN' });
    expect(await readFile(join(parent, 'data', 'thesis.txt'), 'utf8')).toBe('dear');
  });

  test('refuses the data directory of another major version', async () => {
    await (await start()).stop();
    await writeFile(join(parent, 'data', 'PG_VERSION'), '12\n');
    await expect(start()).rejects.toMatchObject({ code: 'EMBEDDED_POSTGRES_DATA_DIR_FOREIGN' });
  });

  test.runIf(process.getuid?.() === 0)('says so when root chose a directory that the server cannot reach', async () => {
    await chmod(parent, 0o700);
    const failure = await start().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(EmbeddedPostgresError);
    expect(failure).toMatchObject({ code: 'EMBEDDED_POSTGRES_DATA_DIR_UNREACHABLE' });
  });

  test('says what the server said when it cannot start', async () => {
    await expect(start({ settings: { shared_buffers: 'a lot' } })).rejects.toMatchObject({
      code: 'EMBEDDED_POSTGRES_START_FAILED',
      message: expect.stringContaining('shared_buffers'),
    });
  });

  test('leaves no process behind after stop', async () => {
    const server = await start();
    await server.stop();
    const { stdout } = await run('ps', ['-eo', 'args=']);
    expect(
      stdout.split('\n').filter((line) => line.includes(parent) || line.includes(`kill -INT "$0" ${server.pid}`)),
    ).toEqual([]);
  });
});

describe('test databases', () => {
  test('are apart from each other', async () => {
    const [one, two] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    await one.sql('CREATE TABLE only_here (n int)');
    expect((await two.sql(`SELECT to_regclass('only_here') AS found`)).rows).toEqual([{ found: null }]);
    await Promise.all([one.drop(), two.drop()]);
    await expect(one.sql('SELECT 1')).rejects.toMatchObject({ code: '3D000' });
  });
});
