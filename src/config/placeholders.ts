import type { TomlTable } from './overlay.js';
import { type ConfigProblem, formatPath } from './problems.js';

/** `${KEY}`, `$(KEY)`, `{{ key }}`, or a value or part of a URL that is `$KEY` alone, in capitals. */
const VARIABLE = /\$\{[^}]*\}|\$\([A-Za-z_]\w*\)|\{\{[^}]*\}\}|(?:^|[/=:@])(\$[A-Z_][A-Z0-9_]*)(?=$|[/&:@])/;

/** Values in which a variable was left for somebody else to fill in. */
export function placeholders(table: TomlTable): ConfigProblem[] {
  return textsIn(table, []).flatMap(({ path, text }): ConfigProblem[] => {
    const match = VARIABLE.exec(text);
    if (!match) return [];
    const left = match[1] ?? match[0];
    return [
      {
        path: formatPath(path),
        message:
          `has ${left} left in it, which is filled in by nobody: write the value, or set the whole key by the ` +
          `environment (CCV_INDEXER__${path.join('__')}=…)`,
      },
    ];
  });
}

/** Every text of a table, with where it is. */
export function textsIn(
  value: unknown,
  path: readonly PropertyKey[],
): { readonly path: readonly PropertyKey[]; readonly text: string }[] {
  if (typeof value === 'string') return [{ path, text: value }];
  if (Array.isArray(value)) return value.flatMap((item, index) => textsIn(item, [...path, index]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, field]) => textsIn(field, [...path, key]));
}
