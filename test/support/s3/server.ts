import { execFile } from 'node:child_process';
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { startTiedProcess, type TiedProcess } from '../../../scripts/devnet/anvil/tied-process.js';
import { systemClock } from '../../../src/core/clock.js';
import { PATIENCE_MS } from '../patience.js';
import { cephConfiguration, cephKeyring, GATEWAY_PORT, MONITOR_PORT } from './server-config.js';

/**
 * A real S3 server: Ceph's RADOS gateway with a monitor and one object daemon that keeps its data in memory. It listens on
 * a loopback address of its own, so that any number run side by side. Path style, region us-east-1.
 */
export interface S3TestServer {
  readonly endpoint: string;
  readonly host: string;
  readonly port: number;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Makes S3 unreachable (connections are refused). The data stays. */
  stopGateway(): Promise<void>;
  /** Makes it reachable again, at the same address. */
  startGateway(): Promise<void>;
  /** Ends all its processes and removes its files. Idempotent. */
  stop(): Promise<void>;
}

const run = promisify(execFile);
const INSTALLER = resolve(import.meta.dirname, '../../../.ci/install-ceph');
const ACCESS_KEY = 'test';
const SECRET_KEY = 'testsecret';

/**
 * Starts a server in about a second; the first start on a machine without Ceph installs it with `.ci/install-ceph`. The
 * processes end with this one, however it ends; their files in `parent` stay then.
 */
export async function startS3Server(parent = tmpdir()): Promise<S3TestServer> {
  const root = await installedRoot();
  const directory = await mkdtemp(join(parent, 'ccv-s3-'));
  const daemons: TiedProcess[] = [];
  const stopAll = async () => {
    await Promise.all(daemons.map((daemon) => daemon.stop(0)));
    await rm(directory, { recursive: true, force: true });
  };
  try {
    return await startIn(directory, root, daemons, stopAll);
  } catch (failure) {
    const output = daemons.map((daemon) => daemon.output()).join('\n');
    await stopAll();
    throw new Error(`the S3 server did not start\n${output}`, { cause: failure });
  }
}

async function startIn(
  directory: string,
  root: string,
  daemons: TiedProcess[],
  stop: () => Promise<void>,
): Promise<S3TestServer> {
  const host = await freeLoopbackAddress();
  const configFile = join(directory, 'ceph.conf');
  const environment = environmentOf(root, configFile);
  const ceph = async (program: string, ...args: string[]) => {
    await run('env', [...environment, program, ...args], { timeout: PATIENCE_MS });
  };
  const daemon = async (program: string, ...args: string[]) => {
    // SIGKILL at the end of this process: a Ceph daemon that has lost the others may wait for them on SIGTERM
    const tied = ['setpriv', '--pdeathsig', 'KILL', program, '-f', ...args];
    const started = await startTiedProcess('env', [...environment, ...tied], systemClock);
    daemons.push(started);
    return started;
  };
  const fsid = randomUUID();
  const osdId = randomUUID();
  await Promise.all(['mon', 'osd', 'rgw'].map((name) => mkdir(join(directory, name))));
  await writeFile(configFile, cephConfiguration({ directory, fsid, host, root }));
  await writeFile(join(directory, 'keyring'), cephKeyring());
  const monitorMap = join(directory, 'monmap');
  await ceph('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', `[v2:${host}:${MONITOR_PORT}]`, monitorMap);
  await ceph('ceph-mon', '--mkfs', '-i', 'a', '--keyring', join(directory, 'keyring'), '--monmap', monitorMap);
  await daemon('ceph-mon', '-i', 'a');
  // its interpreter is the system's, whose packages it needs
  await ceph('/usr/bin/python3', join(root, 'usr/bin/ceph'), 'osd', 'new', osdId);
  await ceph('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osdId);
  await daemon('ceph-osd', '-i', '0');
  const keys = [`--access-key=${ACCESS_KEY}`, `--secret=${SECRET_KEY}`];
  await ceph('radosgw-admin', 'user', 'create', '--uid=test', '--display-name=test', ...keys);

  const startGateway = async () => {
    const started = await daemon('radosgw', '-n', 'client.rgw');
    await untilItListens(host, started);
    return started;
  };
  let gateway = await startGateway();
  return {
    endpoint: `http://${host}:${GATEWAY_PORT}`,
    host,
    port: GATEWAY_PORT,
    region: 'us-east-1',
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
    stopGateway: async () => {
      // killed, it would leave watches behind, and the next one would wait for them in every change of a bucket
      await gateway.stop(10_000);
    },
    startGateway: async () => {
      gateway = await startGateway();
    },
    stop,
  };
}

/** Where Ceph is: `/`, or the folder that its packages are unpacked in. */
async function installedRoot(): Promise<string> {
  try {
    const { stdout } = await run(INSTALLER, { timeout: 600_000 });
    return stdout.trim();
  } catch (cause) {
    throw new Error(
      'these tests need a real S3 server, and Ceph could not be installed: run .ci/install-ceph and see why',
      { cause },
    );
  }
}

function environmentOf(root: string, configFile: string): string[] {
  const environment = [`CEPH_ARGS=-c ${configFile}`];
  if (root === '/') return environment;
  const architecture = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch;
  const libraries = join(root, 'usr/lib', `${architecture}-linux-gnu`);
  const more = join(root, 'lib', `${architecture}-linux-gnu`);
  return [
    ...environment,
    `PATH=${join(root, 'usr/bin')}:${join(root, 'usr/sbin')}:${process.env['PATH'] ?? ''}`,
    `LD_LIBRARY_PATH=${libraries}:${join(libraries, 'ceph')}:${more}`,
    `PYTHONPATH=${join(root, 'usr/lib/python3/dist-packages')}`,
  ];
}

/** One of Linux's sixteen million loopback addresses on which nothing listens at our ports. */
async function freeLoopbackAddress(): Promise<string> {
  for (;;) {
    const host = `127.${randomInt(1, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
    const free = await Promise.all([MONITOR_PORT, GATEWAY_PORT].map((port) => canListen(host, port)));
    if (free.every(Boolean)) return host;
  }
}

async function canListen(host: string, port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise((resolveWith) => {
    server.once('error', () => resolveWith(false));
    server.listen(port, host, () => server.close(() => resolveWith(true)));
  });
}

async function untilItListens(host: string, gateway: TiedProcess): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + PATIENCE_MS;
  while (!(await canConnect(host))) {
    if (gateway.exit()) throw new Error(`radosgw ended: ${gateway.output()}`);
    if (systemClock.monotonicMs() > deadlineMs) throw new Error('radosgw does not listen');
    await systemClock.sleep(20);
  }
}

async function canConnect(host: string): Promise<boolean> {
  const socket = connect(GATEWAY_PORT, host);
  return await new Promise((resolveWith) => {
    socket.once('connect', () => resolveWith(true));
    socket.once('error', () => resolveWith(false));
  }).then((connected) => {
    socket.destroy();
    return connected === true;
  });
}

/** A bucket name that no other test has. */
export function newBucketName(): string {
  return `test-${randomBytes(8).toString('hex')}`;
}
