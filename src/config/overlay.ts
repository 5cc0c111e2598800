import { readFileSync } from 'node:fs';
import { toError } from '../core/errors.js';
import { SECRET_KEY } from './config-secrets.js';
import { type ConfigProblem, formatPath } from './problems.js';

/** A parsed TOML value. */
export type TomlTable = { [key: string]: unknown };

/** Environment variables that start with this set a value: `CCV_INDEXER__Storage__Single__Postgres__URI=…`. */
const ENVIRONMENT_PREFIX = 'CCV_INDEXER__';
/** One that ends with this names a file that holds the value, as orchestrators mount secrets. */
const FILE_SUFFIX = '_FILE';

/** An entry that an overlay added to a list because none there has its name or place: mostly a mistyped one. */
export interface AddedEntry {
  /** For example `Storage.Sink.Storages[3]`. */
  readonly path: string;
  /** Its name; or its place, from 0. */
  readonly name: string;
  readonly isPlace: boolean;
  /** The number of entries that there were. */
  readonly count: number;
  /** The names that there were. */
  readonly known: readonly string[];
}

/**
 * `base` with everything that `overlay` names replaced: the way a secrets file adds to the configuration. Where `base`
 * has a list of tables, `overlay` has a list (entries are matched by `Name`, else by place) or a table whose keys are
 * names or places. `told` hears of every entry that is new; `path` is where the two tables are.
 */
export function overlayTable(
  base: TomlTable,
  overlay: TomlTable,
  told: (added: AddedEntry) => void = () => undefined,
  path: readonly PropertyKey[] = [],
): TomlTable {
  const result: TomlTable = { ...base };
  for (const [key, value] of Object.entries(overlay)) {
    const present = result[key];
    const at = [...path, key];
    if (isTableList(present) && (isTableList(value) || isTable(value)))
      result[key] = overlayList(present, value, told, at);
    else if (present === undefined && isTable(value) && isOfPlaces(value))
      result[key] = overlayList([], value, told, at);
    else if (isTable(present) && isTable(value)) result[key] = overlayTable(present, value, told, at);
    else result[key] = value;
  }
  return result;
}

function overlayList(
  base: readonly TomlTable[],
  overlay: readonly TomlTable[] | TomlTable,
  told: (added: AddedEntry) => void,
  path: readonly PropertyKey[],
): TomlTable[] {
  const result = [...base];
  const entries: [string, unknown][] = Array.isArray(overlay)
    ? overlay.map((table, index) => [typeof table['Name'] === 'string' ? table['Name'] : String(index), table])
    : Object.entries(overlay);
  for (const [key, value] of entries) {
    if (!isTable(value)) continue;
    const named = result.findIndex((table) => table['Name'] === key);
    const isPlace = named < 0 && /^\d+$/.test(key);
    const index = Math.min(named >= 0 ? named : isPlace ? Number(key) : result.length, result.length);
    if (index >= base.length) {
      const known = base.flatMap(({ Name }) => (typeof Name === 'string' ? [Name] : []));
      told({ path: formatPath([...path, index]), name: key, isPlace, count: base.length, known });
    }
    result[index] = overlayTable(result[index] ?? {}, value, told, [...path, index]);
  }
  return result;
}

/**
 * The keys of the environment, as a table to lay over the file. Values that read as TOML numbers, booleans or lists (of
 * JSON) are taken as such, all others as text. `…_FILE` names a file with the value, whose last line end is left out.
 */
export function environmentTable(environment: Readonly<Record<string, string | undefined>>): {
  readonly table: TomlTable;
  readonly problems: readonly ConfigProblem[];
} {
  const table: TomlTable = {};
  const problems: ConfigProblem[] = [];
  for (const [name, given] of Object.entries(environment)) {
    if (!name.startsWith(ENVIRONMENT_PREFIX) || given === undefined) continue;
    const isFile = name.endsWith(FILE_SUFFIX);
    const path = name.slice(ENVIRONMENT_PREFIX.length, isFile ? -FILE_SUFFIX.length : undefined).split('__');
    if (path.some((part) => part === '')) {
      problems.push({ path: name, message: 'write the path as names joined by two underscores' });
      continue;
    }
    let value = given;
    try {
      if (isFile) value = readFileSync(given, 'utf8').replace(/\r?\n$/, '');
    } catch (thrown) {
      problems.push({ path: name, message: `names a file that cannot be read: ${toError(thrown).message}` });
      continue;
    }
    // a secret of digits alone is still text
    if (!setAt(table, path, SECRET_KEY.test(path.at(-1) ?? '') ? value : scalar(value)))
      problems.push({ path: name, message: `collides with another variable at ${formatPath(path)}` });
  }
  return { table, problems };
}

function setAt(table: TomlTable, path: readonly string[], value: unknown): boolean {
  const [key, ...rest] = path;
  if (key === undefined) return false;
  if (rest.length === 0) {
    if (key in table) return false;
    table[key] = value;
    return true;
  }
  const next = table[key] ?? {};
  if (!isTable(next)) return false;
  table[key] = next;
  return setAt(next, rest, value);
}

function scalar(text: string): unknown {
  if (/^(?:true|false|-?(?:0|[1-9]\d{0,14})(?:\.\d+)?)$/.test(text)) return JSON.parse(text);
  if (!text.startsWith('[')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** True for a table of tables by place, as `[Verifier.0]` makes one. */
function isOfPlaces(table: TomlTable): boolean {
  const entries = Object.entries(table);
  return entries.length > 0 && entries.every(([key, value]) => /^\d+$/.test(key) && isTable(value));
}

/** True for a TOML table. */
export function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** True for a list of tables with at least one. */
export function isTableList(value: unknown): value is TomlTable[] {
  return Array.isArray(value) && value.length > 0 && value.every(isTable);
}
