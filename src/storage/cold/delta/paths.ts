import { DeltaUnsupportedError } from './delta-errors.js';

/** Folder of a table's log. */
export const LOG_FOLDER = '_delta_log';
/** Points to a recent checkpoint; may be missing or behind. */
export const LAST_CHECKPOINT = '_last_checkpoint';

const VERSION_DIGITS = 20;
const COMMIT_NAME = /^(\d{20})\.json$/;
const CHECKPOINT_NAME = /^(\d{20})\.checkpoint\.parquet$/;

/** A version as names have it: 20 digits. */
export function versionName(version: number): string {
  return String(version).padStart(VERSION_DIGITS, '0');
}

/** The name of a commit within the log. */
export function commitName(version: number): string {
  return `${versionName(version)}.json`;
}

/** The name of a classic checkpoint within the log. */
export function checkpointName(version: number): string {
  return `${versionName(version)}.checkpoint.parquet`;
}

/** The kind and version of a name within the log; null for names that we neither read nor write. */
export function parseLogName(
  name: string,
): { readonly kind: 'commit' | 'checkpoint'; readonly version: number } | null {
  const commit = COMMIT_NAME.exec(name)?.[1];
  if (commit !== undefined) return { kind: 'commit', version: Number(commit) };
  const checkpoint = CHECKPOINT_NAME.exec(name)?.[1];
  return checkpoint === undefined ? null : { kind: 'checkpoint', version: Number(checkpoint) };
}

/** `path` of an add action for a file below the table's root (RFC 2396; `=` stays, as all writers leave it). */
export function pathToUri(path: string): string {
  return path
    .split('/')
    .map((segment) => encodeURIComponent(segment).replaceAll('%3D', '='))
    .join('/');
}

/**
 * The file that an action's `path` names, relative to the table's root.
 * @throws DeltaUnsupportedError for absolute paths and for texts that are no URI.
 */
export function uriToPath(uri: string): string {
  if (uri.startsWith('/') || /^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(uri))
    throw new DeltaUnsupportedError('a file lies outside of the table', { details: { path: uri } });
  try {
    return decodeURIComponent(uri);
  } catch (cause) {
    throw new DeltaUnsupportedError('the path of a file is not a URI', { cause, details: { path: uri } });
  }
}

/** The path of a data file of a day, relative to the table's root. `id`: unique for ever. */
export function dataFilePath(day: string, id: string): string {
  return `day=${day}/part-${id}.zstd.parquet`;
}

/**
 * The path of that file's index. Other engines' clean-up deletes objects that a table's log does not name, but none
 * in folders that begin with an underscore.
 */
export function indexFilePath(day: string, id: string): string {
  return `_index/day=${day}/part-${id}.idx`;
}

const DATA_FILE = /^day=[^/]+\/part-[^/]+\.zstd\.parquet$/;
const INDEX_FILE = /^_index\/(day=[^/]+\/part-[^/]+)\.idx$/;

/** True for a path that `dataFilePath` gives. */
export function isDataFilePath(path: string): boolean {
  return DATA_FILE.test(path);
}

/** The data file beside which an index lies; null for a path that `indexFilePath` does not give. */
export function dataPathOfIndex(path: string): string | null {
  const stem = INDEX_FILE.exec(path)?.[1];
  return stem === undefined ? null : `${stem}.zstd.parquet`;
}
