import type { TomlTable } from 'smol-toml';
import { expect, test } from 'vitest';
import { configWarnings } from '../../../src/config/checks/warnings.js';
import { parseConfig } from '../../../src/config/load.js';
import { formatProblem } from '../../../src/config/problems.js';

const URI = 'postgresql://u:a-long-pass@db/i';

function warnings(more: TomlTable): readonly string[] {
  const table = { Storage: { Strategy: 'single', Single: { Type: 'postgres', Postgres: { URI } } }, ...more };
  return configWarnings(parseConfig(table, 'test.toml'), table)
    .map(formatProblem)
    .filter((text) => !text.includes('there is none'));
}

test('a key that crosses a network in the clear is warned of', () => {
  const warned = (Address: string, more: TomlTable = {}) =>
    warnings({
      Discoveries: [
        {
          ...{ Name: 'agg', Address, InsecureConnection: true },
          ...{ APIKey: '5a1e7d9c-4b3f-4a88-9c10-2f6b8d0e1a23', Secret: '8f'.repeat(32), ...more },
        },
      ],
    });
  for (const address of ['agg.acme.io:443', 'dns:///agg.acme.io:443', '203.0.113.7:50051'])
    expect(warned(address)).toEqual([
      expect.stringMatching(/^Discoveries\[0\]\.InsecureConnection: sends the API key/),
    ]);
  for (const address of ['aggregator:50051', 'localhost:50051', '10.0.0.7:50051', '[::1]:50051'])
    expect(warned(address)).toEqual([]);
  expect(warned('agg.acme.io:443', { InsecureConnection: false })).toEqual([]);
  expect(warned('agg.acme.io:443', { APIKey: '', Secret: '' })).toEqual([]);
});

test.each([
  [{ Type: 'aggregator', Address: 'a:1', CACertFile: '/ca.pem' }, []],
  [
    { Type: 'aggregator', Address: 'a:1', CACertFile: '/ca.pem', InsecureConnection: true },
    [expect.stringMatching(/^Verifier\[0\]\.CACertFile: is not used beside InsecureConnection = true/)],
  ],
  [
    { Type: 'rest', BaseURL: 'https://tokens.acme.io', CACertFile: '/ca.pem' },
    [expect.stringMatching(/^Verifier\[0\]\.CACertFile: is for aggregators/)],
  ],
])('authorities that nothing is checked against are warned of: %j', (verifier, expected) => {
  const Verifier = [{ ...verifier, Name: 'v', IssuerAddresses: [`0x${'11'.repeat(20)}`] }];
  expect(warnings({ Verifier })).toEqual(expected);
});

test('signatures that the one chain alone can judge are warned of', () => {
  const chain = (Name: string, Selector: string, id: string) => ({
    ...{ Name, Selector, RpcUrls: [`https://${Name}.acme.io`], OnRamp: `0x${id.repeat(20)}` },
  });
  const [a, b] = [chain('a', '5009297550715157269', '11'), chain('b', '15971525489660198786', '22')];
  const aggregator = { Name: 'v', Address: 'agg.acme.io:443', VerifySignatures: 'require' };
  const Verifier = [{ ...aggregator, Type: 'aggregator', IssuerAddresses: [`0x${'33'.repeat(20)}`] }];
  expect(warnings({ Chain: [a], Verifier, Discoveries: [aggregator] })).toEqual([
    expect.stringMatching(/^Discoveries\[0\]\.VerifySignatures: judges results to the one \[\[Chain\]\] alone/),
    expect.stringMatching(/^Verifier\[0\]\.VerifySignatures: judges results to the one \[\[Chain\]\] alone/),
  ]);
  expect(warnings({ Chain: [a, b], Verifier, Discoveries: [aggregator] })).toEqual([]);
});
