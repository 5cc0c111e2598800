import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { EmbeddedPostgresError } from './embedded-postgres-errors.js';

const run = promisify(execFile);

/** The operating system account the server runs as: ours, unless we are root, as which Postgres refuses to run. */
export interface ServerAccount {
  /** Passed to `spawn`; empty when the server runs as ourselves. */
  readonly ids: { readonly uid?: number; readonly gid?: number };
  /** For messages. */
  readonly name: string;
}

/**
 * The account of the server: our own, or for root the owner of an existing data directory, `postgres`, or `nobody`.
 * @throws EmbeddedPostgresError when root finds no other account.
 */
export async function pickServerAccount(dataDir: string): Promise<ServerAccount> {
  if (process.getuid?.() !== 0) return { ids: {}, name: process.env['USER'] ?? 'this user' };
  const owner = await stat(dataDir).catch(() => null);
  if (owner && owner.uid !== 0) return { ids: { uid: owner.uid, gid: owner.gid }, name: `uid ${owner.uid}` };
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const account = accounts.find((fields) => fields[0] === name);
    if (account) return { ids: { uid: Number(account[2]), gid: Number(account[3]) }, name };
  }
  throw new EmbeddedPostgresError(
    'NO_UNPRIVILEGED_USER',
    'Postgres does not run as root and there is neither a user postgres nor nobody: run this as an ordinary user',
  );
}

/** Runs a program as the account and gives its output; rejects when it cannot be run or does not exit with 0. */
export async function runAs(
  account: ServerAccount,
  file: string,
  args: readonly string[],
  cwd = '/',
): Promise<{ stdout: string; stderr: string }> {
  return await run(file, args, { ...account.ids, cwd, env: SERVER_ENVIRONMENT });
}

/** A fixed locale and zone: nothing of the user's environment changes how the server sorts or prints. */
export const SERVER_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
};
