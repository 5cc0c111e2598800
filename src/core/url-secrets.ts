import type { Secret } from './secret-forms.js';

/** A name of a parameter whose value is secret whatever it looks like. */
export const SECRET_NAME = /key|token|secret|pass|pwd|auth|sig|cred|session/i;
/** Lower-case words joined by hyphens, as names of chains and routes are. */
const WORDS = /^[a-z][a-z._-]{0,30}$/;
/** Parts of a path that are no key: versions, routes of one short word, and ours. */
const ROUTE = /^(?:v\d+|[a-z]{1,7}|\d{1,7}|ethereum|verifications|verifierresults|messages)$/i;

/**
 * The secret parts of a URL: user and password, each value of its query, the parts of its path that may be a key. One
 * that cannot be taken apart is secret from its `//` to the last `@`.
 */
export function secretsOfUrl(text: string): Secret[] {
  const url = URL.canParse(text) ? new URL(text) : null;
  // a password with an unescaped / or # ends the host too early
  const [, user = '', password] = /^[a-z][a-z0-9+.-]*:\/\/([^:@/?#]*)(?::(.*))?@/is.exec(text) ?? [];
  const login = loginSecrets(user, password ?? '');
  if (!url || !/^(?:https?|wss?|postgres(?:ql)?|socks5?):$/.test(url.protocol)) return login;
  const isDatabase = url.protocol.startsWith('postgres');
  return [
    ...login,
    ...loginSecrets(url.username, url.password),
    ...[...url.searchParams].flatMap(([name, value]) => queryValue(name, value, isDatabase)),
    ...(isDatabase ? [] : url.pathname.split('/').flatMap(pathPart)),
    ...(isDatabase || url.hash.length < 9 ? [] : anywhere(url.hash.slice(1))),
  ];
}

function loginSecrets(user: string, password: string): Secret[] {
  const name = decoded(user);
  const secret = decoded(password);
  // a user without a password is a token; beside a password it is a name
  if (secret === '') return name === '' ? [] : [{ text: name, where: WORDS.test(name) ? 'marked' : 'anywhere' }];
  return [
    ...anywhere(secret),
    ...anywhere(password),
    ...anywhere(Buffer.from(`${name}:${secret}`).toString('base64').replace(/=+$/, '')),
  ];
}

function queryValue(name: string, value: string, isDatabase: boolean): Secret[] {
  if (SECRET_NAME.test(name)) return anywhere(value);
  // `sslmode=require`, `application_name=…`: a database has its secrets under names that say so
  if (isDatabase || value.length < 6) return [];
  return [{ text: value, where: WORDS.test(value) ? 'marked' : 'anywhere' }];
}

function pathPart(part: string): Secret[] {
  const text = decoded(part);
  if (text === '' || ROUTE.test(text)) return [];
  const looksLikeKey = text.length >= 8 && !WORDS.test(text);
  return [{ text, where: looksLikeKey ? 'anywhere' : 'marked' }];
}

function anywhere(text: string): Secret[] {
  return text === '' ? [] : [{ text, where: 'anywhere' }];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not encoded at all: as it stands
  }
}
