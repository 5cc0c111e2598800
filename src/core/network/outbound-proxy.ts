import { BlockList, isIP } from 'node:net';
import { InvalidArgumentError } from '../errors.js';
import { parseIpRange } from './ip-ranges.js';

/**
 * Hosts that are asked directly where NO_PROXY says nothing: a proxy elsewhere means another machine by these names.
 */
const THIS_MACHINE = 'localhost,127.0.0.0/8,::1';

/** Variables of a process. */
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy through which a URL (http, https, ws, wss) is reached: `HTTPS_PROXY` for https and wss, `HTTP_PROXY` for
 * http and ws, `ALL_PROXY` for both, unless `NO_PROXY` names its host. Small letters go first. Null: directly.
 *
 * `NO_PROXY` is a list of host names (with their subdomains), addresses and CIDR ranges, each with a port or without;
 * `*` is everything. While it is not set, this machine is asked directly.
 * @throws InvalidArgumentError when the proxy is none that makes tunnels (CONNECT).
 */
export function outboundProxy(url: string, environment: Environment = process.env): string | null {
  const { protocol, hostname, port } = new URL(url);
  const isEncrypted = protocol === 'https:' || protocol === 'wss:';
  const read = (name: string) => environment[name] || environment[name.toUpperCase()] || null;
  const proxy = read(isEncrypted ? 'https_proxy' : 'http_proxy') ?? read('all_proxy');
  if (proxy === null) return null;
  const exceptions = environment['no_proxy'] ?? environment['NO_PROXY'] ?? THIS_MACHINE;
  const host = hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
  const target = { host, port: port || (isEncrypted ? '443' : '80') };
  if (exceptions.split(/[\s,]+/).some((exception) => matches(exception.toLowerCase(), target))) return null;
  const uri = /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
  if (URL.canParse(uri) && /^https?:/i.test(uri)) return uri;
  const names = `${isEncrypted ? 'HTTPS_PROXY' : 'HTTP_PROXY'} or ALL_PROXY`;
  throw new InvalidArgumentError(
    `${host} is reached through the proxy of the environment, which has no URL of http:// or https://: ` +
      `correct ${names}, or list the host in NO_PROXY`,
  );
}

function matches(exception: string, target: { readonly host: string; readonly port: string }): boolean {
  if (exception === '') return false;
  if (exception === '*') return true;
  const [, bracketed, named, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(exception) ?? [];
  if (port !== undefined && port !== target.port) return false;
  // an address of IPv6 may stand there without brackets
  const host = bracketed ?? named ?? exception;
  const range = parseIpRange(host);
  if (range) return isIP(target.host) === range.version && listOf(range).check(target.host, `ipv${range.version}`);
  const name = host.replace(/^\*?\./, '');
  return target.host === name || target.host.endsWith(`.${name}`);
}

function listOf({ address, bits, version }: NonNullable<ReturnType<typeof parseIpRange>>): BlockList {
  const list = new BlockList();
  list.addSubnet(address, bits, `ipv${version}`);
  return list;
}
