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
  const found = shown(value, parts.at(-1) ?? '');
  return found === null ? problem : { ...problem, found };
}

function shown(value: unknown, key: string): string | null {
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
