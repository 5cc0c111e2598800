import { chmod, chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { startTiedProcess } from '../../../scripts/devnet/anvil/tied-process.js';
import { pickServerAccount, runAs } from '../../../scripts/devnet/postgres/embedded-postgres-account.js';
import { systemClock } from '../../../src/core/clock.js';
import { debianProgram } from '../debian-program.js';
import { eventually } from '../eventually.js';
import { freePort } from '../free-port.js';

/** Debian's Postgres with its clients, which the embedded one lacks. */
export interface DebianPostgres {
  /** The directory of `pg_dump`, `pg_restore` and `psql`. */
  readonly programs: string;
  /** Creates an empty database, and gives its URI. */
  createDatabase(name: string): Promise<string>;
  /** Runs SQL in the database at `uri`. */
  sql(uri: string, text: string, values?: readonly unknown[]): Promise<pg.QueryResult>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Starts a server of the version of Debian's package `postgresql`; the first start on a machine without it installs it. */
export async function startDebianPostgres(): Promise<DebianPostgres> {
  const cluster = await debianProgram('postgresql', '/usr/bin/pg_ctlcluster');
  const versions = join(dirname(dirname(cluster)), 'lib/postgresql');
  const newest = (await readdir(versions)).map(Number).sort((a, b) => b - a)[0];
  const programs = join(versions, String(newest), 'bin');
  const directory = await mkdtemp(join(tmpdir(), 'ccv-debian-postgres-'));
  await chmod(directory, 0o755);
  const account = await pickServerAccount(directory);
  const { uid, gid } = account.ids;
  if (uid !== undefined && gid !== undefined) await chown(directory, uid, gid);
  const data = join(directory, 'data');
  await runAs(account, join(programs, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '-N']);
  const port = await freePort();
  const as = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  const flags = ['-D', data, '-p', String(port), '-k', directory, '-h', '127.0.0.1', '-F'];
  const server = await startTiedProcess('env', [...as, join(programs, 'postgres'), ...flags], systemClock);
  const uriOf = (database: string) => `postgresql://postgres@127.0.0.1:${port}/${database}`;
  const sql: DebianPostgres['sql'] = async (connectionString, text, values = []) => {
    const client = new pg.Client({ connectionString });
    await client.connect();
    try {
      return await client.query(text, [...values]);
    } finally {
      await client.end();
    }
  };
  const stop = async () => {
    await server.stop(10_000);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await eventually('Postgres to be ready', async () => {
      if (server.exit()) throw new Error(`Postgres ended: ${server.output()}`);
      return await sql(uriOf('postgres'), 'SELECT 1').then(
        () => true,
        () => false,
      );
    });
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  return {
    ...{ programs, sql, stop },
    async createDatabase(name) {
      await sql(uriOf('postgres'), `CREATE DATABASE ${name}`);
      return uriOf(name);
    },
  };
}
