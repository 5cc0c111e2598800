import { shownValue } from '../found-value.js';
import { isTable, isTableList, type TomlTable } from '../overlay.js';
import { type ConfigProblem, formatPath, unknownKey } from '../problems.js';
import { defaultNames } from './default-names.js';
import { type ExplainedKey, NOTHING } from './explained-key.js';
import { GO_KEYS, type GoKey, goKeysBelow, isGoTable } from './known-keys.js';

/** A configuration in the keys of this program alone. */
export interface Translation {
  readonly table: TomlTable;
  readonly explained: readonly ExplainedKey[];
  readonly problems: readonly ConfigProblem[];
}

const BY_PATH: ReadonlyMap<string, GoKey> = new Map(GO_KEYS.map((key) => [key.path, key]));

/** Levels of zap, the Go indexer's logger, in words of ours. */
const LEVELS: Readonly<Record<string, string>> = {
  ...{ debug: 'debug', info: 'info', warn: 'warn', warning: 'warn', error: 'error' },
  ...{ dpanic: 'error', panic: 'error', fatal: 'error', '': 'info' },
};

/** Takes the keys of the Go indexer out of a configuration that have no meaning here, or another name. */
export function translateGoKeys(given: TomlTable): Translation {
  const explained = new Map<string, ExplainedKey>();
  const problems: ConfigProblem[] = [];
  const left = walk(given, [], '');
  const level = levelOf(given);
  const table = level === null || !isTable(left['Log'] ?? {}) ? left : withLevel(left, level);
  const named = defaultNames(table);
  for (const row of named.explained) explained.set(row.path, row);
  return { table: named.table, explained: byTable([...explained.values()]), problems };

  function walk(node: TomlTable, path: readonly PropertyKey[], pattern: string): TomlTable {
    return Object.fromEntries(
      Object.entries(node).flatMap(([key, value]): [string, unknown][] => {
        const at = [...path, key];
        const name = pattern === '' ? key : `${pattern}.${key}`;
        const known = BY_PATH.get(name);
        if (known !== undefined) return isKept(known, node, value, formatPath(at)) ? [[key, value]] : [];
        if (isGoTable(name)) {
          if (isTable(value)) walk(value, at, name);
          else problems.push({ path: formatPath(at), message: `write a table here: [${formatPath(at)}] or { … }` });
          return [];
        }
        if (isGoTable(pattern)) {
          problems.push({ path: formatPath(at), message: unknownKey(key, goKeysBelow(pattern)) });
          return [];
        }
        if (isTableList(value)) return [[key, value.map((entry, index) => walk(entry, [...at, index], `${name}[]`))]];
        return [[key, isTable(value) ? walk(value, at, name) : value]];
      }),
    );
  }

  function isKept(key: GoKey, node: TomlTable, value: unknown, path: string): boolean {
    const row = (became: string, note: string | undefined) =>
      explained.set(path, { path, value: shownValue(value, path.split('.').at(-1) ?? ''), became, note: note ?? '' });
    switch (key.is) {
      case 'same': {
        if (key.onlyFor !== undefined && isOther(node['Type'], key.onlyFor)) {
          if (isMeant(value)) row(NOTHING, `of Type = "${key.onlyFor}" alone`);
          return false;
        }
        const isDefault = key.emptyIsDefault === true && isEmpty(value);
        row(isDefault ? 'its default' : 'the same key', key.note);
        return !isDefault;
      }
      case 'moved':
        row(key.to, hasLevel(node) ? `${key.to} is given too, and counts` : key.note);
        if (levelOf(node) === null) problems.push({ path, message: 'write one of "debug", "info", "warn", "error"' });
        return false;
      case 'none':
        row(NOTHING, key.note);
        return false;
      case 'merged':
        problems.push({ path, message: 'names a file beside a configuration file: only a configuration file has it' });
        return false;
      default:
        return key satisfies never;
    }
  }
}

/** The keys without a meaning here, those of one table with one reason together. */
export function goNotices(explained: readonly ExplainedKey[]): ConfigProblem[] {
  const groups = new Map<string, ExplainedKey[]>();
  for (const row of explained)
    if (row.became === NOTHING) {
      const group = `${tableOf(row.path)} ${row.note}`;
      groups.set(group, [...(groups.get(group) ?? []), row]);
    }
  return [...groups.values()].flatMap((rows): ConfigProblem[] => {
    const [first] = rows;
    if (first === undefined) return [];
    if (rows.length === 1)
      return [{ path: first.path, message: `has no meaning here: ${first.note}`, found: first.value }];
    const table = tableOf(first.path);
    const keys = rows.map(({ path }) => path.slice(table.length + 1)).join(', ');
    return [{ path: table, message: `${keys} have no meaning here: ${first.note}` }];
  });
}

/** Rows of one table together, in the order of their tables. */
function byTable(rows: readonly ExplainedKey[]): readonly ExplainedKey[] {
  const places = new Map<string, number>();
  for (const { path } of rows) if (!places.has(tableOf(path))) places.set(tableOf(path), places.size);
  const place = ({ path }: ExplainedKey) => places.get(tableOf(path)) ?? 0;
  return [...rows].sort((a, b) => place(a) - place(b));
}

function tableOf(path: string): string {
  return path.includes('.') ? path.slice(0, path.lastIndexOf('.')) : '';
}

function isOther(type: unknown, onlyFor: string): boolean {
  return (type === 'aggregator' || type === 'rest') && type !== onlyFor;
}

function isEmpty(value: unknown): boolean {
  return value === 0 || (typeof value === 'string' && value.trim() === '');
}

function isMeant(value: unknown): boolean {
  return !isEmpty(value) && value !== false;
}

function hasLevel({ Log }: TomlTable): boolean {
  return isTable(Log) && Log['Level'] !== undefined;
}

/** `LogLevel` in our words; null when there is none, or none that is known. */
function levelOf({ LogLevel }: TomlTable): string | null {
  return typeof LogLevel === 'string' ? (LEVELS[LogLevel.toLowerCase()] ?? null) : null;
}

function withLevel(table: TomlTable, Level: string): TomlTable {
  return { ...table, Log: { Level, ...(isTable(table['Log']) ? table['Log'] : {}) } };
}
