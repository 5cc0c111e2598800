import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Unpacks the namespace `test` of an old format: written by the last version with that, with changed, orphaned and returned
 * records, a compaction, and a flush that was cut off. Returns its changes, the last of each record, with bigints that end
 * in `n` and bytes in hex; no result of then has a verdict.
 */
export function unpackFormat(format: 1 | 2, directory: string): unknown[] {
  mkdirSync(directory, { recursive: true });
  const file = fileURLToPath(new URL(`../../fixtures/cold/format-${format}.tar.gz`, import.meta.url));
  execFileSync('tar', ['-xzf', file, '-C', directory]);
  const changes = JSON.parse(readFileSync(join(directory, 'changes.json'), 'utf8')) as {
    kind: string;
    record: object;
  }[];
  return changes.map(({ kind, record, ...rest }) => {
    return { kind, ...rest, record: kind === 'verifierResult' ? { ...record, verdict: null } : record };
  });
}

/** A change, written as those of the fixtures. */
export function plainChange(change: object): unknown {
  const text = JSON.stringify(change, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  );
  return JSON.parse(text) as unknown;
}
