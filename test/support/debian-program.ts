import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const INSTALLER = resolve(import.meta.dirname, '../../.ci/install-debian');

/** The path of a program of a Debian package; `.ci/install-debian` installs it on a machine without it. */
export async function debianProgram(name: string, path: string): Promise<string> {
  const { stdout } = await promisify(execFile)(INSTALLER, [name, path], { timeout: 600_000 });
  return stdout.trim();
}
