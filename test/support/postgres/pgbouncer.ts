import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startTiedProcess } from '../../../scripts/devnet/anvil/tied-process.js';
import type { PostgresConnection } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import { pickServerAccount } from '../../../scripts/devnet/postgres/embedded-postgres-account.js';
import { systemClock } from '../../../src/core/clock.js';
import { debianProgram } from '../debian-program.js';
import { eventually } from '../eventually.js';
import { freePort } from '../free-port.js';

/** When PgBouncer gives a server's session to somebody else: its own word. */
export type PoolMode = 'session' | 'transaction' | 'statement';

/** A real pooler in front of a test server. */
export interface PgBouncer {
  /** A database of the server, through the pooler. */
  through(connection: PostgresConnection): PostgresConnection;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
}

/** Starts PgBouncer in a tenth of a second; the first start on a machine without it installs it. */
export async function startPgBouncer(
  server: PostgresConnection,
  poolMode: PoolMode,
  settings: Readonly<Record<string, string | number>> = {},
): Promise<PgBouncer> {
  const program = await debianProgram('pgbouncer', '/usr/sbin/pgbouncer');
  const directory = await mkdtemp(join(tmpdir(), 'ccv-pgbouncer-'));
  const port = await freePort();
  const users = join(directory, 'users.txt');
  const ini = join(directory, 'pgbouncer.ini');
  const lines = Object.entries({
    ...{ listen_addr: '127.0.0.1', listen_port: port, unix_socket_dir: '', auth_type: 'trust', auth_file: users },
    ...{ pool_mode: poolMode, default_pool_size: 20, ...settings },
  }).map(([name, value]) => `${name} = ${value}`);
  await writeFile(users, `"${server.user}" "${server.password}"\n`);
  const databases = `* = host=${server.host} port=${server.port}`;
  await writeFile(ini, ['[databases]', databases, '[pgbouncer]', ...lines, ''].join('\n'));
  // it does not run as root
  await chmod(directory, 0o755);
  const { ids } = await pickServerAccount(directory);
  const { uid, gid } = process.getuid?.() === 0 && ids.uid === undefined ? { uid: 65_534, gid: 65_534 } : ids;
  const account = uid === undefined ? [] : [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  // where the package was unpacked, its libraries lie beside it
  const libraries = join(dirname(dirname(program)), 'lib');
  const found = [`${libraries}/x86_64-linux-gnu`, `${libraries}/aarch64-linux-gnu`].join(':');
  const daemon = await startTiedProcess(
    'env',
    [`LD_LIBRARY_PATH=${found}`, 'setpriv', ...account, '--pdeathsig', 'KILL', program, ini],
    systemClock,
  );
  try {
    await eventually('PgBouncer listens', async () => {
      if (daemon.exit()) throw new Error(`PgBouncer ended: ${daemon.output()}`);
      return await accepts(port);
    });
  } catch (thrown) {
    await daemon.stop(0);
    throw thrown;
  }
  return {
    through: (connection) => ({ ...connection, host: '127.0.0.1', port }),
    async stop() {
      await daemon.stop(0);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function accepts(port: number): Promise<boolean> {
  return await new Promise((settle) => {
    const probe = connect(port, '127.0.0.1', () => {
      probe.destroy();
      settle(true);
    }).once('error', () => settle(false));
  });
}
