import { type ChildProcess, spawn } from 'node:child_process';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Clock, systemClock } from '../../../src/core/clock.js';
import type { Logger } from '../../../src/core/logger.js';
import { pickServerAccount, SERVER_ENVIRONMENT, type ServerAccount } from './embedded-postgres-account.js';
import { locatePostgresBinaries } from './embedded-postgres-binaries.js';
import { awaitPreviousServer, prepareDataDir } from './embedded-postgres-data-dir.js';
import { EmbeddedPostgresError } from './embedded-postgres-errors.js';

const MAJOR_VERSION = '18';
const START_MS = 60_000;
const STDERR_TAIL_CHARS = 4_000;

/** How to run the server. */
export interface EmbeddedPostgresOptions {
  /** Created when missing; kept between starts. */
  readonly dataDir: string;
  /** TCP port; default a free one. Without `listenAddresses` it only names the socket. */
  readonly port?: number;
  /** Addresses to listen on beside the socket, for example `127.0.0.1`; default none. */
  readonly listenAddresses?: string;
  /** Gives up durability for speed: for tests only. */
  readonly fast?: boolean;
  /** Further server settings, for example `{ max_connections: '50' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** Connection settings of `pg`. */
export interface PostgresConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** A running server. It ends when this process does, however that ends. */
export interface EmbeddedPostgres {
  /** Over the socket. */
  readonly connection: PostgresConnection;
  /** Over TCP; null without `listenAddresses`. */
  readonly tcp: PostgresConnection | null;
  /** `tcp` (or else `connection`) as a URI. It holds a password. */
  readonly uri: string;
  readonly pid: number;
  readonly dataDir: string;
  /** Resolves when the server is gone, with the reason unless `stop` was called. */
  readonly exited: Promise<string | null>;
  /** Ends open transactions and shuts down; everything committed stays. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Runs a Postgres server from the npm package for this platform: no installation, no root, no container.
 * @throws EmbeddedPostgresError whose message names the next step.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const clock = options.clock ?? systemClock;
  const dataDir = resolve(options.dataDir);
  const account = await pickServerAccount(dataDir);
  const binaries = await locatePostgresBinaries(account);
  const password = await prepareDataDir(dataDir, account, binaries, {
    durable: options.fast !== true,
    majorVersion: MAJOR_VERSION,
  });
  await awaitPreviousServer(dataDir, clock);
  const port = options.port ?? (options.listenAddresses ? await freePort() : 5432);
  const socketDir = await createSocketDir(account);
  const server = spawn(binaries.postgres, serverArguments(options, dataDir, port, socketDir), {
    ...account.ids,
    cwd: dataDir,
    env: SERVER_ENVIRONMENT,
    stdio: ['ignore', 'ignore', 'pipe'],
    // a session of its own: Ctrl-C in the terminal must not stop the server before we have drained
    detached: true,
  });
  const stderr = followStderr(server, options.log);
  const watchdog = server.pid === undefined ? null : watchOverParent(server.pid, socketDir);
  let stopping = false;
  const exited = new Promise<string | null>((settle) => {
    const ended = (how: string) => {
      watchdog?.kill('SIGKILL');
      void rm(socketDir, { recursive: true, force: true }).then(() => settle(stopping ? null : how));
    };
    server.once('error', (error) => ended(error.message));
    server.once('close', (code, signal) => ended(`exited with ${signal ?? code}: ${stderr.tail()}`));
  });
  await untilReady(server, exited, dataDir, clock);

  const connection = { host: socketDir, port, user: 'postgres', password, database: 'postgres' };
  const tcp = options.listenAddresses ? { ...connection, host: firstAddress(options.listenAddresses) } : null;
  return {
    connection,
    tcp,
    uri: connectionUri(tcp ?? connection),
    pid: server.pid ?? 0,
    dataDir,
    exited,
    async stop() {
      stopping = true;
      // fast shutdown: open transactions roll back, everything is written out
      server.kill('SIGINT');
      await exited;
    },
  };
}

/** A connection as a `postgresql://` URI. */
export function connectionUri({ host, port, user, password, database }: PostgresConnection): string {
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  if (host.startsWith('/')) return `postgresql://${login}@/${database}?host=${encodeURIComponent(host)}&port=${port}`;
  return `postgresql://${login}@${host.includes(':') ? `[${host}]` : host}:${port}/${database}`;
}

function serverArguments(
  options: EmbeddedPostgresOptions,
  dataDir: string,
  port: number,
  socketDir: string,
): readonly string[] {
  const settings = {
    ...(options.fast ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } : {}),
    ...options.settings,
    listen_addresses: options.listenAddresses ?? '',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['-D', dataDir, '-p', String(port), '-k', socketDir, ...flags];
}

/** Short (a socket's path is limited to about 100 bytes) and closed to everyone but the server's account. */
async function createSocketDir({ ids }: ServerAccount): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ccv-pg-'));
  if (ids.uid !== undefined && ids.gid !== undefined) await chown(directory, ids.uid, ids.gid);
  return directory;
}

/**
 * A shell that reads from a pipe we hold open and never write to. When we end, by whatever means, the pipe closes and
 * it shuts the server down; so not even `kill -9` leaves a server behind. The server empties the socket's directory as
 * it ends.
 */
function watchOverParent(serverPid: number, socketDir: string): ChildProcess {
  const script = 'read -r _; kill -INT "$0"; for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 1; rmdir "$1" && exit; done';
  const watchdog = spawn('sh', ['-c', script, String(serverPid), socketDir], {
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watchdog.unref();
  return watchdog;
}

function followStderr(server: ChildProcess, log: Logger): { tail(): string } {
  let tail = '';
  server.stderr?.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-STDERR_TAIL_CHARS);
    for (const line of text.split('\n')) if (line !== '') log.debug({ line }, 'embedded postgres');
  });
  return { tail: () => tail.trim() };
}

/** The eighth line of the pid file is the server's status, as for `pg_ctl start`. */
async function untilReady(
  server: ChildProcess,
  exited: Promise<string | null>,
  dataDir: string,
  clock: Clock,
): Promise<void> {
  let failure: string | null = null;
  void exited.then((how) => {
    failure = how ?? 'stopped';
  });
  const deadlineMs = clock.monotonicMs() + START_MS;
  while (failure === null) {
    const lines = (await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
    if (Number(lines[0]) === server.pid && lines[7]?.trim() === 'ready') return;
    if (clock.monotonicMs() > deadlineMs) {
      server.kill('SIGKILL');
      await exited;
      break;
    }
    await clock.sleep(10);
  }
  throw new EmbeddedPostgresError(
    'START_FAILED',
    `Postgres in ${dataDir} did not start (${failure ?? 'not ready in time'}): see its last words, or move the ` +
      'directory away to begin anew',
  );
}

async function freePort(): Promise<number> {
  return await new Promise((resolvePort, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolvePort(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function firstAddress(listenAddresses: string): string {
  const first = listenAddresses.split(',')[0]?.trim() ?? '';
  return first === '*' || first === '0.0.0.0' || first === '' ? '127.0.0.1' : first;
}
