import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { resolveHttpSettings } from '../../../src/api/api-settings.js';
import { createRequestIds } from '../../../src/api/http/request-id.js';
import { checkTrustedProxies } from '../../../src/api/http/trusted-proxies.js';
import { seededRandom } from '../../../src/core/random.js';

describe('trusted proxies', () => {
  it('are addresses and CIDR ranges', () => {
    checkTrustedProxies(['10.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8', '2001:db8::1/128', '192.0.2.1/32']);
  });

  it.each([
    '',
    'proxy.example.org',
    'loopback',
    '10.0.0.0/0',
    '::/0',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0',
    '*',
    '10.0.0.0/255.0.0.0',
  ])('are never %j', (entry) => {
    expect(() => checkTrustedProxies(['10.0.0.1', entry])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('trustedProxies[1] is ') }),
    );
  });
});

describe('HTTP settings', () => {
  it('are refused when they cannot work', () => {
    expect(() => resolveHttpSettings({ host: '127.0.0.1', port: -1 })).toThrow('port is -1');
    expect(() => resolveHttpSettings({ host: '127.0.0.1', port: 0, maxHeaders: 0 })).toThrow('maxHeaders is 0');
  });
});

describe('request ids', () => {
  const withId = (id?: string | string[]) => ({ headers: { 'x-request-id': id } }) as unknown as IncomingMessage;

  it('are the client’s when short and harmless, else made here and never twice', () => {
    const next = createRequestIds(seededRandom(1));
    expect(next(withId('trace-1.a_B:9'))).toBe('trace-1.a_B:9');
    const made = [withId(), withId(''), withId('a b'), withId('x'.repeat(65)), withId('a\nb'), withId(['a', 'b'])].map(
      next,
    );
    expect(new Set(made).size).toBe(made.length);
    for (const id of made) expect(id).toMatch(/^[a-z0-9]+-[a-z0-9]+$/);
  });
});
