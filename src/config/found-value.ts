import { outsideText } from '../core/outside-text.js';
import { SECRET_KEY } from './config-secrets.js';
import type { TomlTable } from './overlay.js';
import type { ConfigProblem } from './problems.js';

const MAX_CHARS = 80;

/** The problem with the value at its path, where that is one value. Secrets are masked. */
export function withFoundValue(problem: ConfigProblem, table: TomlTable): ConfigProblem {
  if (problem.found !== undefined) return problem;
  const parts = problem.path.split(/[.[\]]+/).filter((part) => part !== '');
  const value = parts.reduce<unknown>(
    (node, part) => (typeof node === 'object' && node !== null ? Reflect.get(node, part) : undefined),
    table,
  );
  const found = valueIn(value, parts.at(-1) ?? '');
  return found === null ? problem : { ...problem, found };
}

/** Any value as text, for a table of values. Secrets are masked. */
export function shownValue(value: unknown, key: string): string {
  const single = valueIn(value, key);
  if (single !== null) return single;
  if (Array.isArray(value)) return `[${value.map((each: unknown) => valueIn(each, key) ?? '…').join(', ')}]`;
  return typeof value === 'object' && value !== null ? `{ ${Object.keys(value).join(', ')} }` : String(value);
}

function valueIn(value: unknown, key: string): string | null {
  switch (typeof value) {
    case 'string':
      return SECRET_KEY.test(key) && value !== '' ? '***' : JSON.stringify(outsideText(value, MAX_CHARS));
    case 'number':
    case 'bigint':
    case 'boolean':
      return SECRET_KEY.test(key) ? '***' : String(value);
    default:
      return null;
  }
}
