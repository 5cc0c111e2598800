import { expect, it } from 'vitest';
import { clientOf } from '../../../src/api/http/client-address.js';
import { createProxyTest } from '../../../src/api/http/trusted-proxies.js';

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::', '2001:db8:1:2'],
  ['2001:db8:1:2::9', '2001:db8:1:2'],
  ['2001:db8::9', '2001:db8:0:0'],
  ['2001:db8::4:5:6:7:8', '2001:db8:0:4'],
  ['::1', '0:0:0:0'],
  ['::', '0:0:0:0'],
])('the client of %s is %s', (address, client) => {
  expect(clientOf(address)).toBe(client);
});

it('a proxy is known by its address or range, also over a socket of the other family', () => {
  const isProxy = createProxyTest(['10.0.0.0/8', '192.0.2.7', 'fd00::/8']);
  expect(['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.7', 'fd12::1'].every(isProxy)).toBe(true);
  expect(['11.1.2.3', '::ffff:11.1.2.3', '192.0.2.8', 'fe80::1'].some(isProxy)).toBe(false);
  expect(createProxyTest([])('10.0.0.1')).toBe(false);
});
