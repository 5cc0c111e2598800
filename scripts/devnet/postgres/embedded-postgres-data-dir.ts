import { randomBytes } from 'node:crypto';
import { chown, mkdir, mkdtemp, readdir, readFile, readlink, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../../src/core/clock.js';
import { toError } from '../../../src/core/errors.js';
import { runAs, type ServerAccount } from './embedded-postgres-account.js';
import type { PostgresBinaries } from './embedded-postgres-binaries.js';
import { EmbeddedPostgresError } from './embedded-postgres-errors.js';

/** The server is not the only reader of its files: these two names are ours. */
const PASSWORD_FILE = 'ccv-indexer.password';
/** How long a server whose starter was killed may take to shut down. */
const PREVIOUS_SERVER_MS = 15_000;

/**
 * Creates the data directory when there is none. It appears under its name only when it is complete, so that a kill in
 * the middle leaves nothing half made there.
 * @returns the password for connections over TCP.
 * @throws EmbeddedPostgresError
 */
export async function prepareDataDir(
  dataDir: string,
  account: ServerAccount,
  binaries: PostgresBinaries,
  options: { readonly durable: boolean; readonly majorVersion: string },
): Promise<string> {
  const found = (await readFile(join(dataDir, 'PG_VERSION'), 'utf8').catch(() => '')).trim();
  if (found === '') await initialise(dataDir, account, binaries, options.durable);
  else if (found !== options.majorVersion)
    throw new EmbeddedPostgresError(
      'DATA_DIR_FOREIGN',
      `${dataDir} was made by Postgres ${found}, this is ${options.majorVersion}: choose another data directory`,
    );
  await checkReachable(dataDir, account);
  return await readFile(join(dataDir, PASSWORD_FILE), 'utf8').catch((cause) => {
    throw new EmbeddedPostgresError(
      'DATA_DIR_FOREIGN',
      `${dataDir} is a Postgres data directory that was not made here: choose another data directory`,
      { cause },
    );
  });
}

async function initialise(
  dataDir: string,
  account: ServerAccount,
  { initdb }: PostgresBinaries,
  durable: boolean,
): Promise<void> {
  if ((await readdir(dataDir).catch(() => [])).length > 0)
    throw new EmbeddedPostgresError(
      'DATA_DIR_FOREIGN',
      `${dataDir} holds other files: choose an empty or new data directory`,
    );
  await mkdir(dirname(dataDir), { recursive: true });
  const fresh = await mkdtemp(`${dataDir}.init-`);
  try {
    await giveTo(account, fresh);
    await checkReachable(fresh, account);
    const cluster = join(fresh, 'cluster');
    const password = join(fresh, PASSWORD_FILE);
    await writeFile(password, randomBytes(24).toString('hex'), { mode: 0o600 });
    await giveTo(account, password);
    const args = ['-D', cluster, '-U', 'postgres', '--pwfile', password, '--no-instructions', ...INIT_FLAGS];
    await runAs(account, initdb, durable ? args : [...args, '--no-sync'], fresh);
    await rename(password, join(cluster, PASSWORD_FILE));
    await rename(cluster, dataDir);
  } catch (cause) {
    if (cause instanceof EmbeddedPostgresError) throw cause;
    const { stderr } = cause as { stderr?: string };
    throw new EmbeddedPostgresError(
      'INIT_FAILED',
      `cannot create the database in ${dataDir}: ${stderr?.trim() || toError(cause).message}`,
      { cause },
    );
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** Trust on the socket, whose directory only we can enter; a password on TCP, where any local user can knock. */
const INIT_FLAGS = [
  '--auth-local=trust',
  '--auth-host=scram-sha-256',
  // nobody guesses a password of 24 random bytes: repeated hashing costs each connection milliseconds, and keeps nobody out
  '--set=scram_iterations=1',
  '--encoding=UTF8',
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
];

async function giveTo({ ids }: ServerAccount, path: string): Promise<void> {
  if (ids.uid !== undefined && ids.gid !== undefined) await chown(path, ids.uid, ids.gid);
}

async function checkReachable(directory: string, account: ServerAccount): Promise<void> {
  await runAs(account, 'test', ['-w', directory]).catch((cause) => {
    throw new EmbeddedPostgresError(
      'DATA_DIR_UNREACHABLE',
      `${account.name} (Postgres does not run as root) cannot write ${directory}: choose a data directory none of ` +
        'whose parents is closed to others, for example under /var/tmp',
      { cause },
    );
  });
}

/**
 * Waits for a server that a killed process left shutting down, and removes a pid file whose pid now belongs to
 * something else, on which Postgres would refuse to start.
 * @throws EmbeddedPostgresError when the server that runs there stays.
 */
export async function awaitPreviousServer(dataDir: string, clock: Clock): Promise<void> {
  const file = join(dataDir, 'postmaster.pid');
  const deadlineMs = clock.monotonicMs() + PREVIOUS_SERVER_MS;
  for (;;) {
    const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
    if (!pid) return;
    if (!(await isServerOf(dataDir, pid))) {
      await rm(file, { force: true });
      return;
    }
    if (clock.monotonicMs() > deadlineMs)
      throw new EmbeddedPostgresError(
        'DATA_DIR_IN_USE',
        `${dataDir} is in use by a server with pid ${pid}: stop the other instance or choose another data directory`,
      );
    await clock.sleep(50);
  }
}

async function isServerOf(dataDir: string, pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  if (process.platform !== 'linux') return true;
  // a server's working directory is its data directory
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => null);
  return cwd === (await realpath(dataDir));
}
