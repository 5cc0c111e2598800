import { isIP } from 'node:net';
import { z } from 'zod';
import { isEveryone, parseIpRange } from '../../core/network/ip-ranges.js';
import { ANY_ORIGIN, isWebOrigin } from '../../core/network/web-origin.js';

const LISTEN_HINT =
  'write an IP address of this machine without a port, "localhost", or "0.0.0.0" or "::" for every one of its ' +
  'addresses';
const PROXY_HINT = 'write an address or a CIDR range, for example "10.0.0.0/8"';
const TOKEN_HINT = 'write at least 16 letters, digits or -._~+/=, for example what `openssl rand -hex 32` prints';
const ORIGIN_HINT = 'write an origin without a path, for example "https://app.example.org", or "*" for all';

/** An address that a server can listen on. Names are not looked up, so only one is known. */
export const isListenAddress = z
  .string({ error: LISTEN_HINT })
  .refine((text) => text === 'localhost' || (isIP(text) !== 0 && !isGroup(text)), { error: LISTEN_HINT });

/** An address, or a range of them, whose word on the client's address is taken. */
export const isTrustedProxy = z.string({ error: PROXY_HINT }).superRefine((text, context) => {
  const range = parseIpRange(text);
  if (range === null) context.addIssue(PROXY_HINT);
  else if (isEveryone(range))
    context.addIssue(
      'trusts everyone, so that any client can pretend to be any other: write the addresses of your proxies alone',
    );
});

/** A token as RFC 6750 lets it be sent. */
export const bearerToken = z.string({ error: TOKEN_HINT }).regex(/^[A-Za-z0-9\-._~+/]{16,}=*$/, { error: TOKEN_HINT });

/** An origin as browsers send it, or `*`. */
export const isCorsOrigin = z
  .string({ error: ORIGIN_HINT })
  .refine((text) => text === ANY_ORIGIN || isWebOrigin(text), { error: ORIGIN_HINT });

/** True for multicast and broadcast addresses, which belong to no machine. */
function isGroup(address: string): boolean {
  const first = Number(address.split('.', 1)[0]);
  return isIP(address) === 4 ? first >= 224 : /^ff/i.test(address);
}
