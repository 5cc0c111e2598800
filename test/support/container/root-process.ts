import { execFile } from 'node:child_process';
import { cpSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type CliProcess, startCommand } from '../e2e/cli.js';
import { eventually } from '../eventually.js';
import type { Image } from './build-image.js';

/** Namespaces of their own for mounts and processes: the child is the first process of its container. */
const NAMESPACES = ['unshare', '--mount', '--pid', '--fork', '--kill-child'];
/** $0 the root, $1 a directory that is mounted at /etc/ccv-indexer; the root can only be read. */
const READ_ONLY = `mount --bind "$0" "$0" && mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" &&
mount --bind "$1" "$0/etc/ccv-indexer" && mount -o remount,bind,ro "$0" && shift && exec "$@"`;

/** Whether this machine lets us make namespaces and mount in them, as builders and engines do. */
export async function canMount(): Promise<boolean> {
  const [program = '', ...args] = [...NAMESPACES, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'];
  return await promisify(execFile)(program, args).then(
    () => true,
    () => false,
  );
}

/** A running process of an image. */
export interface RootProcess {
  readonly cli: CliProcess;
  /** Sends a signal to the process itself. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** Starts processes of an image as its user: in a root that can only be read where mounts are to be had, else in its root as it is. */
export function processesOf({ root, user, directory, environment }: Image, configuration: string, mounts: boolean) {
  const [uid = '', gid = ''] = user.split(':');
  const enter = ['unshare', `--root=${root}`, `--wd=${directory}`, `--setuid=${uid}`, `--setgid=${gid}`];
  return (words: readonly string[], settings: Readonly<Record<string, string>> = {}): RootProcess => {
    const inside = [...enter, ...words];
    if (!mounts) cpSync(configuration, join(root, 'etc/ccv-indexer'), { recursive: true });
    const command = mounts ? [...NAMESPACES, 'sh', '-c', READ_ONLY, root, configuration, ...inside] : inside;
    const cli = startCommand(command, { ...environment, ...settings });
    return {
      cli,
      async kill(signal) {
        process.kill(mounts ? await childOf(cli.pid) : cli.pid, signal);
      },
    };
  };
}

async function childOf(pid: number): Promise<number> {
  let child = 0;
  await eventually('the first process of the container', async () => {
    child = Number(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8'));
    return child > 0;
  });
  return child;
}
