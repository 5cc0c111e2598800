import type { ConfigProblem } from '../problems.js';

/**
 * A problem for every entry of a list whose key an entry before it has; entries without a key are free. `same` says so
 * without the key, which may be a secret; `field` is empty where the entries are values themselves.
 */
export function unique<T>(
  entries: readonly T[],
  table: string,
  field: string,
  key: (entry: T) => string | undefined,
  same?: string,
): ConfigProblem[] {
  const seen = new Map<string, number>();
  return entries.flatMap((entry, index): ConfigProblem[] => {
    const value = key(entry);
    if (value === undefined) return [];
    const first = seen.get(value);
    if (first === undefined) seen.set(value, index);
    if (first === undefined) return [];
    const taken = `${table}[${first}]`;
    const message =
      same === undefined ? `${JSON.stringify(value)} is taken by ${taken}` : `${same} ${taken}: write another`;
    return [{ path: `${table}[${index}]${field && `.${field}`}`, message }];
  });
}
