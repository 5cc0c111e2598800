import { InvalidArgumentError } from '../core/errors.js';
import { isEveryone, parseIpRange } from '../core/ip-ranges.js';

/**
 * Checks a list of proxy addresses and CIDR ranges.
 * @throws InvalidArgumentError naming the first entry that is neither, or that would trust everyone.
 */
export function checkTrustedProxies(entries: readonly string[]): void {
  entries.forEach((entry, index) => {
    const range = parseIpRange(entry);
    if (range === null || isEveryone(range))
      throw new InvalidArgumentError(
        `trustedProxies[${index}] is ${JSON.stringify(entry)}: write an address or a CIDR range, for example 10.0.0.0/8`,
      );
  });
}
