import { expect, it } from 'vitest';
import { configWarnings } from '../../../src/config/checks/warnings.js';
import { parseConfig } from '../../../src/config/load.js';

const TOKEN = 'b3f1c2d4e5f60718293a4b5c6d7e8f90';

function warned(Admin: Record<string, unknown>): boolean {
  const table = { Admin, Storage: { Strategy: 'single', Single: { Type: 'memory' } } };
  return configWarnings(parseConfig(table, 'test'), table).some(({ path }) => path === 'Admin.ListenAddress');
}

it('an admin port that other machines reach without a token is warned of', () => {
  for (const ListenAddress of ['0.0.0.0', '::', '10.1.2.3']) {
    expect(warned({ ListenAddress })).toBe(true);
    expect(warned({ ListenAddress, BearerToken: TOKEN })).toBe(false);
  }
  for (const ListenAddress of ['127.0.0.1', '::1', 'localhost']) expect(warned({ ListenAddress })).toBe(false);
});

it.each(['short', 'with a space in its middle', '', 12345678901234567n, 'ünter-sixteen-letters'])(
  'a token that cannot be sent is refused: %s',
  (BearerToken) => {
    expect(() => warned({ BearerToken })).toThrow(/Admin.BearerToken: write at least 16 letters/);
  },
);
