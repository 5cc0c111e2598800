import { BlockList, isIPv6 } from 'node:net';
import { InvalidArgumentError } from '../../core/errors.js';
import { isEveryone, parseIpRange } from '../../core/network/ip-ranges.js';

/**
 * Checks a list of proxy addresses and CIDR ranges.
 * @throws InvalidArgumentError naming the first entry that is neither, or that would trust everyone.
 */
export function checkTrustedProxies(entries: readonly string[]): void {
  entries.forEach((entry, index) => {
    const range = parseIpRange(entry);
    if (range === null || isEveryone(range))
      throw new InvalidArgumentError(
        `trustedProxies[${index}] is ${JSON.stringify(entry)}: ` +
          'write an address or a CIDR range, for example 10.0.0.0/8',
      );
  });
}

/** Tells the addresses of trusted proxies. `entries` must have been checked. */
export function createProxyTest(entries: readonly string[]): (address: string) => boolean {
  if (entries.length === 0) return () => false;
  const proxies = new BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) proxies.addAddress(address, family);
    else proxies.addSubnet(address, Number(bits), family);
  }
  // an IPv4 address over an IPv6 socket counts as IPv4
  return (address) => proxies.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
