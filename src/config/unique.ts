import type { ConfigProblem } from './problems.js';

/** A problem for every entry of a list whose key another entry before it has; entries without a key are free. */
export function unique<T>(
  entries: readonly T[],
  table: string,
  field: string,
  key: (entry: T) => string | undefined,
): ConfigProblem[] {
  const seen = new Map<string, number>();
  return entries.flatMap((entry, index): ConfigProblem[] => {
    const value = key(entry);
    if (value === undefined) return [];
    const first = seen.get(value);
    if (first === undefined) seen.set(value, index);
    return first === undefined
      ? []
      : [{ path: `${table}[${index}].${field}`, message: `${JSON.stringify(value)} is taken by ${table}[${first}]` }];
  });
}
