import type { Secret } from '../core/secret-forms.js';
import { SECRET_NAME, secretsOfUrl } from '../core/url-secrets.js';

/** Keys whose values are secrets as a whole, or tables of them; also keys of later versions that sound like one. */
export const SECRET_KEY = /secret|token|password|passphrase|apikey|accesskey|authorization|headers$/i;
const URL_START = /^[a-z][a-z0-9+.-]*:\/\//i;
/** A variable that was left in place of a secret is none. */
const VARIABLE = /^(?:\$\{[^}]*\}|\$\(\w+\)|\{\{[^}]*\}\}|\$[A-Z_][A-Z0-9_]*)$/;
/** Variables that libraries take credentials from by themselves. */
const OF_LIBRARIES = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'PGPASSWORD'];
const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY'];

/**
 * Every secret that a configuration holds, as far as it can be told before it is checked: errors of the check must not
 * show them either.
 */
export function configSecrets(
  table: unknown,
  environment: Readonly<Record<string, string | undefined>> = {},
): Secret[] {
  const names = namesIn(table);
  const isName = ({ text }: Secret) => names.some((name) => name.includes(text));
  const found: Found[] = [
    ...secretsIn(table, ''),
    ...OF_LIBRARIES.flatMap((name) => whole(environment[name])),
    ...PROXIES.flatMap((name) => [environment[name], environment[name.toLowerCase()]]).flatMap((url) =>
      url ? secretsOfUrl(URL_START.test(url) ? url : `http://${url}`) : [],
    ),
  ];
  return found
    .filter(({ text }) => !VARIABLE.test(text))
    .map((secret) => (secret.isWhole || !isName(secret) ? secret : { ...secret, where: 'marked' }));
}

interface Found extends Secret {
  /** It is under a key that says so: not a part of a URL that may be a name as well. */
  readonly isWhole?: boolean;
}

function secretsIn(value: unknown, key: string): Found[] {
  if (typeof value === 'string') {
    if (SECRET_KEY.test(key)) return whole(value);
    if (URL_START.test(value) || key === 'URI') return [...secretsOfUrl(value), ...keywordSecrets(value)];
    return keywordSecrets(value);
  }
  if (Array.isArray(value)) return value.flatMap((item) => secretsIn(item, key));
  if (typeof value === 'number' || typeof value === 'bigint') return SECRET_KEY.test(key) ? whole(String(value)) : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) => secretsIn(field, SECRET_KEY.test(key) ? key : name));
}

/** `host=… password=…`, as other drivers write it: no use here, but it may stand there by mistake. */
function keywordSecrets(value: string): Found[] {
  return [...value.matchAll(/([a-z_-]+)\s*=\s*('[^']*'|[^\s'&;]+)/gi)].flatMap(([, name = '', given = '']) =>
    SECRET_NAME.test(name) ? whole(given.replace(/^'|'$/g, '')) : [],
  );
}

function whole(text: string | undefined): Found[] {
  return text === undefined || text === '' ? [] : [{ text, where: 'anywhere', isWhole: true }];
}

/** The names of chains, verifiers and backends, which are shown on purpose. */
function namesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(namesIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, field]) =>
    (key === 'Name' || key === 'Namespace') && typeof field === 'string' ? [field] : namesIn(field),
  );
}
