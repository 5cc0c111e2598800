import type pg from 'pg';
import { parse, toClientConfig } from 'pg-connection-string';
import { InvalidArgumentError, toError } from './errors.js';

const WRITE_INSTEAD = 'write verify-full, verify-ca, require or disable';

/**
 * The values of `sslmode` that say whether the connection is encrypted; `no-verify` is the driver's word for
 * `require`.
 */
const SSL_MODES: readonly string[] = ['disable', 'require', 'no-verify', 'verify-ca', 'verify-full'];

/**
 * A connection URI in the driver's words, with the certificates that it names. `sslmode` means the same as to libpq:
 * `require` encrypts and believes any server (with `sslrootcert` it is `verify-ca`), `verify-ca` asks for a
 * certificate of that authority, `verify-full` for the host's name too.
 * @throws InvalidArgumentError naming the parameter, never the URI: it may hold a password.
 */
export function parsePostgresUri(uri: string): pg.ClientConfig {
  const at = uri.indexOf('?');
  const query = new URLSearchParams(at < 0 ? '' : uri.slice(at + 1));
  checkTls(query);
  // this driver trusts the system's authorities where none is named
  if (query.get('sslrootcert') === 'system') query.delete('sslrootcert');
  if (query.get('sslmode') === 'no-verify') query.set('sslmode', 'require');
  query.delete('uselibpqcompat');
  const rest = query.size > 0 ? `?${query}` : '';
  try {
    return toClientConfig(parse(`${at < 0 ? uri : uri.slice(0, at)}${rest}`, { useLibpqCompat: true }));
  } catch (thrown) {
    throw new InvalidArgumentError(`the URI of Postgres cannot be used: ${toError(thrown).message}`);
  }
}

function checkTls(query: URLSearchParams): void {
  const mode = query.get('sslmode');
  const rootCert = query.get('sslrootcert');
  if (mode !== null && !SSL_MODES.includes(mode))
    throw new InvalidArgumentError(
      mode === 'prefer' || mode === 'allow'
        ? `sslmode=${mode} leaves it to the server whether the connection is encrypted: ${WRITE_INSTEAD}`
        : `sslmode=${mode} is none: ${WRITE_INSTEAD}`,
    );
  if (mode === 'verify-ca' && (rootCert === null || rootCert === 'system'))
    throw new InvalidArgumentError(
      'sslmode=verify-ca needs the authority’s certificate: add sslrootcert=/path/to/ca.pem, or write verify-full',
    );
  if (rootCert === 'system' && mode !== 'verify-full')
    throw new InvalidArgumentError(
      'sslrootcert=system trusts every public authority: write sslmode=verify-full with it',
    );
}
