import { toError } from '../../core/errors.js';
import { parsePostgresUri } from '../../core/postgres-uri.js';
import { didYouMean } from './fields.js';

const SCHEME = /^postgres(?:ql)?:\/\//i;
const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'];
const EXAMPLE = 'postgresql://user:password@host:5432/database';
/** Parameters that the driver, or the server through it, knows. */
const PARAMETERS = [
  ...['sslmode', 'ssl', 'sslcert', 'sslkey', 'sslrootcert', 'sslnegotiation', 'uselibpqcompat', 'host', 'port', 'user'],
  ...['password', 'application_name', 'fallback_application_name', 'client_encoding', 'encoding', 'options'],
  ...['connect_timeout', 'keepalives', 'statement_timeout', 'lock_timeout', 'query_timeout', 'sslpassword'],
];

/** The parts of a connection URI, as they stand there. */
interface Parts {
  readonly login: string;
  readonly address: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Faults of a connection URI, each with the text to write instead. */
export function postgresUriFaults(uri: string): string[] {
  if (!SCHEME.test(uri)) {
    const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri) ?? [];
    const instead = `write a URI that starts with postgresql://, for example ${EXAMPLE}`;
    return [scheme === undefined ? instead : `${scheme}:// is the scheme of another server: ${instead}`];
  }
  if (/[\s\p{C}]/u.test(uri)) return ['has spaces or invisible characters in it: write a space in a password as %20'];
  const unescaped = unescapedIn(uri);
  if (unescaped !== null)
    return [
      `has a ${unescaped} in user or password that ends it early: write it as ${encodeURIComponent(unescaped)} ` +
        '(and %40 for @, %3A for :, %25 for %)',
    ];
  const { address, path, query } = partsOf(uri);
  const mode = query.get('sslmode');
  const faults = [
    ...addressFaults(address, query),
    ...(databaseOf(path) === '' ? [`names no database: write it behind the host, for example ${EXAMPLE}`] : []),
    ...(/^\/.*\//.test(path) ? ['has a / in the name of the database: write it as %2F, or remove it'] : []),
    ...(mode === null || [...SSL_MODES, 'allow', 'prefer', 'no-verify'].includes(mode)
      ? []
      : [`sslmode is ${JSON.stringify(mode)}: write one of ${SSL_MODES.join(', ')}${didYouMean(mode, SSL_MODES)}`]),
  ];
  return faults.length > 0 ? faults : driverFaults(uri);
}

/** Faults that the driver, or TLS as asked for, would find at start. */
function driverFaults(uri: string): string[] {
  try {
    parsePostgresUri(uri);
    return [];
  } catch (thrown) {
    return [toError(thrown).message];
  }
}

/** Parts that work and are surely not meant. Only for a URI without faults. */
export function postgresUriWarnings(uri: string): string[] {
  const { login, query } = partsOf(uri);
  const strange = [...query.keys()].filter((name) => !PARAMETERS.includes(name));
  return [
    ...(login.includes('@')
      ? ['has an @ in user or password that is not written as %40: other programs end it there']
      : []),
    ...strange.map((name) => `has a parameter ${name} that the driver does not know${didYouMean(name, PARAMETERS)}`),
  ];
}

/** Which database of which server, whatever the URI looks like otherwise. */
export function databaseId(uri: string): string {
  if (!SCHEME.test(uri) || unescapedIn(uri) !== null) return uri;
  const { address, path, query } = partsOf(uri);
  const [, host = '', port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(address) ?? [];
  const server = (query.get('host') ?? (host || 'localhost')).toLowerCase();
  const isHere = ['localhost', '127.0.0.1', '[::1]', '::1'].includes(server);
  return `${isHere ? 'localhost' : server}:${query.get('port') ?? (port || '5432')}/${databaseOf(path)}`;
}

/** The character that ends the host before its time, when there is an @ behind it or nothing may be. */
function unescapedIn(uri: string): '#' | '/' | '?' | null {
  const rest = uri.replace(SCHEME, '');
  if (rest.includes('#')) return '#';
  const end = rest.search(/[/?]/);
  if (end < 0) return null;
  const [authority, tail] = [rest.slice(0, end), rest.slice(end)];
  const [path = ''] = tail.split('?', 1);
  if (path.includes('@')) return '/';
  // a port is a number: any other text, with an @ further on, is half a password
  const isCut = !authority.includes('@') && /:(?!\d*$)/.test(authority.replace(/^\[[^\]]*\]/, ''));
  return isCut && tail.includes('@') ? (path === '' ? '?' : '/') : null;
}

function partsOf(uri: string): Parts {
  const [, authority = '', path = '', query = ''] = /^([^/?]*)([^?]*)(?:\?(.*))?$/s.exec(uri.replace(SCHEME, '')) ?? [];
  const at = authority.lastIndexOf('@');
  return {
    login: authority.slice(0, Math.max(0, at)),
    address: authority.slice(at + 1),
    path,
    query: new URLSearchParams(query),
  };
}

function addressFaults(address: string, query: URLSearchParams): string[] {
  if (address.includes(','))
    return ['names several hosts: write one; a proxy or a name that moves can stand for several'];
  const [, host, port] = /^(\[[0-9a-f:.%]+\]|[^:[\]]*)(?::(.*))?$/i.exec(address) ?? [];
  if (host === undefined) return [`has no host that can be read: write host or host:port, an IPv6 address as [::1]`];
  const given = port ?? query.get('port');
  const isPort = given === null || (/^\d{1,5}$/.test(given) && Number(given) >= 1 && Number(given) <= 65_535);
  return isPort ? [] : ['has a port that is none: write a number from 1 to 65535 behind the host'];
}

function databaseOf(path: string): string {
  return path.replace(/^\//, '');
}
