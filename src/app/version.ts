import { readFileSync } from 'node:fs';

/** The version in package.json. */
export function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}

/** The commit that the program was built of, with `-dirty` behind it where files had been changed; null: not known. */
export function builtCommit(): string | null {
  try {
    return readFileSync(new URL('../commit', import.meta.url), 'utf8').trim() || null;
  } catch {
    // the source runs, or it was built outside a repository
    return null;
  }
}

/** For people: version, commit and Node.js. */
export function versionLine(): string {
  const commit = builtCommit();
  return `ccv-indexer ${packageVersion()}${commit === null ? '' : ` (${commit})`}, Node.js ${process.version}`;
}
