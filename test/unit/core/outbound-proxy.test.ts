import { expect, test } from 'vitest';
import { outboundProxy } from '../../../src/core/network/outbound-proxy.js';

const BOTH = { HTTPS_PROXY: 'http://secure:1', HTTP_PROXY: 'plain:2' };

test.each([
  ['https://a.io/x', 'http://secure:1'],
  ['wss://a.io', 'http://secure:1'],
  ['http://a.io', 'http://plain:2'],
  ['ws://a.io', 'http://plain:2'],
  ['http://localhost:8545', null],
  ['http://127.0.0.2', null],
  ['https://[::1]:8', null],
])('%s goes through %s', (url, proxy) => {
  expect(outboundProxy(url, BOTH)).toBe(proxy);
});

test('without a proxy for its scheme a URL is asked directly', () => {
  expect(outboundProxy('https://a.io', {})).toBeNull();
  expect(outboundProxy('https://a.io', { HTTP_PROXY: 'http://p' })).toBeNull();
  expect(outboundProxy('https://a.io', { HTTPS_PROXY: '', https_proxy: 'http://small', ALL_PROXY: 'http://all' })).toBe(
    'http://small',
  );
  expect(outboundProxy('http://a.io', { ALL_PROXY: 'http://all' })).toBe('http://all');
});

test.each([
  ['a.io', 'https://a.io', true],
  ['A.IO', 'https://a.io.', true],
  ['a.io', 'https://b.a.io', true],
  ['.a.io', 'https://b.a.io', true],
  ['*.a.io', 'https://b.a.io', true],
  ['a.io', 'https://ba.io', false],
  ['x, a.io:8443 y', 'https://a.io:8443', true],
  ['a.io:8443', 'https://a.io', false],
  ['a.io:443', 'wss://a.io', true],
  ['10.0.0.0/8', 'https://10.1.2.3', true],
  ['10.0.0.0/8', 'https://11.1.2.3', false],
  ['10.1.2.3', 'https://10.1.2.3:5', true],
  ['[fd00::1]:5', 'https://[fd00::1]:5', true],
  ['fd00::/8', 'https://[fd12::1]', true],
  ['*', 'https://a.io', true],
  ['', 'https://127.0.0.1', false],
  ['a.io', 'https://127.0.0.1', false],
])('NO_PROXY=%s: %s is asked directly: %s', (exceptions, url, isDirect) => {
  expect(outboundProxy(url, { ...BOTH, NO_PROXY: exceptions })).toBe(isDirect ? null : 'http://secure:1');
});

test.each(['socks5h://p:1080', 'socks5://p:1080', 'a word', 'http://'])(
  'a proxy %s is refused by its variable',
  (proxy) => {
    expect(() => outboundProxy('https://a.io', { ALL_PROXY: proxy })).toThrow(
      /^a\.io is reached.*HTTPS_PROXY or ALL_PROXY/,
    );
    expect(outboundProxy('https://a.io', { ALL_PROXY: proxy, NO_PROXY: 'a.io' })).toBeNull();
  },
);
