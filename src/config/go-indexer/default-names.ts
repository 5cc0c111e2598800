import { secretsOfUrl } from '../../core/url-secrets.js';
import { isTableList, type TomlTable } from '../overlay.js';
import type { ExplainedKey } from './explained-key.js';

/** Lists whose entries are called by their address when they have no `Name`. */
const LISTS = ['Discoveries', 'Verifier'];
const MAX_CHARS = 100;

/**
 * Gives each discovery and verifier without a `Name` that of its `Address` or `BaseURL`, without credentials, and
 * numbers equal ones.
 */
export function defaultNames(table: TomlTable): {
  readonly table: TomlTable;
  readonly explained: readonly ExplainedKey[];
} {
  const explained: ExplainedKey[] = [];
  const lists = LISTS.flatMap((list) => {
    const entries = table[list];
    if (!isTableList(entries)) return [];
    const taken = new Set(entries.map(({ Name }) => Name));
    const named = entries.map((entry, index) => {
      const label = entry['Name'] === undefined ? labelOf(entry) : null;
      if (label === null) return entry;
      const Name = free(label.name, taken);
      taken.add(Name);
      explained.push({
        path: `${list}[${index}].Name`,
        value: '',
        became: JSON.stringify(Name),
        note: `the default: ${label.key}`,
      });
      return { ...entry, Name };
    });
    return [[list, named] as const];
  });
  return { table: { ...table, ...Object.fromEntries(lists) }, explained };
}

function labelOf({ Address, BaseURL }: TomlTable): { readonly name: string; readonly key: string } | null {
  if (typeof Address === 'string' && Address !== '') return { name: Address.slice(0, MAX_CHARS), key: 'Address' };
  if (typeof BaseURL !== 'string' || !URL.canParse(BaseURL)) return null;
  const { protocol, host, pathname } = new URL(BaseURL);
  const server = `${protocol}//${host}`;
  const secrets = secretsOfUrl(BaseURL);
  const isPublic = secrets.every(({ text }) => !pathname.includes(text));
  const name = isPublic ? `${server}${pathname.replace(/\/+$/, '')}` : server;
  return { name: name.slice(0, MAX_CHARS), key: 'BaseURL' };
}

/** `name`, or the first of `name #2`, `name #3` … that nothing is called. */
function free(name: string, taken: ReadonlySet<unknown>): string {
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? name : `${name.slice(0, MAX_CHARS - 4)} #${number}`;
    if (!taken.has(candidate)) return candidate;
  }
}
