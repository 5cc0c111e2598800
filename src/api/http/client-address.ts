import { isIPv6 } from 'node:net';

const MAPPED = '::ffff:';
/** Groups of an IPv6 address that name a network: 64 bits. */
const NETWORK_GROUPS = 4;

/** Whom an address stands for: an IPv4 address itself, of an IPv6 address its /64, of which one client can have all. */
export function clientOf(address: string): string {
  if (address.startsWith(MAPPED) && address.includes('.')) return address.slice(MAPPED.length);
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('::', 2);
  const groups = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? 0 : tail.split(':').length;
  // zeros of `::`, as far as the network reaches
  while (tail !== undefined && groups.length < NETWORK_GROUPS && groups.length + after < 8) groups.push('0');
  return [...groups, ...(tail ?? '').split(':')].slice(0, NETWORK_GROUPS).join(':');
}
