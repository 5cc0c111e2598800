import { BlockList, isIP } from 'node:net';

/** An address, or a range of them in CIDR notation. */
export interface IpRange {
  readonly version: 4 | 6;
  readonly address: string;
  /** Bits of the network; all bits of an address for a single one. */
  readonly bits: number;
}

/** Reads an address or a CIDR range; null when it is neither. */
export function parseIpRange(text: string): IpRange | null {
  const [address = '', bits, more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more !== undefined) return null;
  const widest = version === 6 ? 128 : 32;
  if (bits === undefined) return { version: version === 6 ? 6 : 4, address, bits: widest };
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > widest) return null;
  return { version: version === 6 ? 6 : 4, address, bits: Number(bits) };
}

/** A range that has every address of its version in it, also as one of IPv6 that maps those of IPv4. */
export function isEveryone({ version, address, bits }: IpRange): boolean {
  return bits === 0 || (version === 6 && bits <= 96 && IPV4_IN_IPV6.check(address, 'ipv6'));
}

const IPV4_IN_IPV6 = new BlockList();
IPV4_IN_IPV6.addSubnet('::ffff:0:0', 96, 'ipv6');

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');
const PRIVATE = new BlockList();
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
] as const)
  PRIVATE.addSubnet(network, bits, 'ipv4');
PRIVATE.addSubnet('fc00::', 7, 'ipv6');
PRIVATE.addSubnet('fe80::', 10, 'ipv6');

/** The host of a URL (IPv6 in brackets) is this machine. */
export function isLoopbackHost(host: string): boolean {
  const name = bare(host);
  return name === 'localhost' || name.endsWith('.localhost') || inList(LOOPBACK, name);
}

/** The host of a URL is in a network of its owner's, as far as its address or name tells. */
export function isPrivateHost(host: string): boolean {
  const name = bare(host);
  return isLoopbackHost(host) || inList(PRIVATE, name) || !/[.:]/.test(name) || /\.(?:local|internal|lan)$/.test(name);
}

function bare(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
}

function inList(list: BlockList, name: string): boolean {
  const version = isIP(name);
  return version !== 0 && list.check(name, version === 6 ? 'ipv6' : 'ipv4');
}
