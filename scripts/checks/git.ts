import { execFileSync } from 'node:child_process';

/** The output of git; null where it fails, as without a history, a tag or a remote. */
export function git(repository: string, ...args: readonly string[]): string | null {
  try {
    return execFileSync('git', ['-C', repository, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null;
  }
}
