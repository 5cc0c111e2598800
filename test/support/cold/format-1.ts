import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('../../fixtures/cold/format-1.tar.gz', import.meta.url));

/**
 * Unpacks the namespace `test` of format 1: written by the last version with that, with superseded, orphaned and returned
 * records, a compaction, and a flush that was cut off. Returns its changes, the last of each record, with bigints that end
 * in `n` and bytes in hex.
 */
export function unpackFormat1(directory: string): unknown[] {
  mkdirSync(directory, { recursive: true });
  execFileSync('tar', ['-xzf', FILE, '-C', directory]);
  return JSON.parse(readFileSync(join(directory, 'changes.json'), 'utf8')) as unknown[];
}
