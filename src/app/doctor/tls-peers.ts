import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { Config } from '../../config/schema/schema.js';
import { outboundProxy } from '../../core/network/outbound-proxy.js';
import type { TlsPeer } from '../../core/network/peer-certificate.js';
import { parsePostgresUri } from '../../core/postgres-uri.js';
import { backendSections } from '../backend-sections.js';

/** How a client of Postgres asks for TLS: length, code. */
const SSL_REQUEST = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47);

/** A peer of the configuration that is reached over TLS. */
export interface ConfiguredPeer extends TlsPeer {
  /** Its place in the configuration: URLs may hold keys. */
  readonly name: string;
  /** Its certificate is checked: a client refuses one that is wrong. */
  readonly isChecked: boolean;
  /** It is reached through a proxy of the environment. */
  readonly isProxied: boolean;
}

/** A file of authorities that the configuration names. */
export interface AuthorityFile {
  readonly name: string;
  readonly file: string;
}

/** Every peer that is reached over TLS. */
export function tlsPeers(config: Config): readonly ConfiguredPeer[] {
  return [...urlPeers(config), ...aggregatorPeers(config), ...databasePeers(config)];
}

/** The files of authorities that are named for aggregators and databases. */
export function authorityFiles(config: Config): readonly AuthorityFile[] {
  const aggregators = [...config.Discoveries, ...config.Verifier].flatMap(({ Name, CACertFile }) =>
    CACertFile === '' ? [] : [{ name: Name, file: CACertFile }],
  );
  const databases = backendSections(config).flatMap(({ Name, Postgres }) => {
    const file = rootCertOf(Postgres?.URI);
    return file === null ? [] : [{ name: Name, file }];
  });
  return [...aggregators, ...databases];
}

function urlPeers(config: Config): readonly ConfiguredPeer[] {
  const urls = [
    ...config.Chain.flatMap(({ Name, RpcUrls }) => RpcUrls.map((url, at) => ({ name: `${Name} RpcUrls[${at}]`, url }))),
    ...(config.Tracing ? [{ name: 'Tracing', url: config.Tracing.Endpoint }] : []),
    ...config.Verifier.flatMap(({ Name, BaseURL }) => (BaseURL === undefined ? [] : [{ name: Name, url: BaseURL }])),
    ...backendSections(config).flatMap(({ Name, S3 }) =>
      S3 && S3.Directory === undefined
        ? [{ name: Name, url: S3.Endpoint ?? `https://s3.${S3.Region}.amazonaws.com` }]
        : [],
    ),
  ];
  return urls.flatMap(({ name, url }) => {
    const { protocol, hostname, port } = new URL(url);
    if (protocol !== 'https:' && protocol !== 'wss:') return [];
    const host = hostname.replace(/^\[|\]$/g, '');
    return [{ name, host, port: Number(port || 443), isChecked: true, isProxied: outboundProxy(url) !== null }];
  });
}

function aggregatorPeers({ Discoveries, Verifier }: Config): readonly ConfiguredPeer[] {
  return [...Discoveries, ...Verifier].flatMap((section): ConfiguredPeer[] => {
    const { Name: name, Address = '', InsecureConnection, CACertFile } = section;
    if (InsecureConnection || Address === '') return [];
    const [, host = '', port = '443'] = /^(?:[a-z]+:\/+)?\[?(.*?)\]?(?::(\d+))?$/i.exec(Address) ?? [];
    const tls: ConnectionOptions = {
      ALPNProtocols: ['h2'],
      ...(CACertFile === '' ? {} : { ca: authoritiesIn(CACertFile) }),
    };
    const isProxied = outboundProxy(`https://${Address}`) !== null;
    return [{ name, host, port: Number(port), tls, isChecked: true, isProxied }];
  });
}

function databasePeers(config: Config): readonly ConfiguredPeer[] {
  return backendSections(config).flatMap(({ Name: name, Postgres }): ConfiguredPeer[] => {
    if (Postgres?.URI === undefined) return [];
    const { host = 'localhost', port = 5432, ssl } = parsePostgresUri(Postgres.URI);
    if (!ssl || host.startsWith('/')) return [];
    const tls = typeof ssl === 'object' ? ssl : {};
    const isChecked = tls.rejectUnauthorized !== false;
    return [{ name, host, port: Number(port), tls, preamble: SSL_REQUEST, isChecked, isProxied: false }];
  });
}

function rootCertOf(uri: string | undefined): string | null {
  const at = uri?.indexOf('?') ?? -1;
  const file = at < 0 ? null : new URLSearchParams(uri?.slice(at + 1)).get('sslrootcert');
  return file === 'system' ? null : file;
}

/** The text of a file of authorities; nothing is trusted where it cannot be read, which is a finding of its own. */
function authoritiesIn(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
