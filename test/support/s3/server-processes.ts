import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

/** A process of a test S3 server. */
export interface S3ServerProcess {
  readonly pid: number;
  readonly program: string;
  /** Where the server keeps its files. */
  readonly directory: string;
}

/** The running processes (Linux) of the S3 server that listens on `host`. */
export async function processesOf(host: string): Promise<S3ServerProcess[]> {
  const found: S3ServerProcess[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const configFile = /^CEPH_ARGS=-c (.*)$/m.exec((await readProcess(pid, 'environ')).replaceAll('\0', '\n'))?.[1];
    if (!configFile || !(await readFile(configFile, 'utf8').catch(() => '')).includes(`public addr = ${host}\n`))
      continue;
    const program = basename((await readProcess(pid, 'cmdline')).split('\0')[0] ?? '');
    found.push({ pid, program, directory: dirname(configFile) });
  }
  return found;
}

/** Empty for a process that has gone, or has ended and not been waited for. */
async function readProcess(pid: number, file: 'environ' | 'cmdline'): Promise<string> {
  return await readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
}
