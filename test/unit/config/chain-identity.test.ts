import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { chainIdentityWarnings, chainIdOf, offRampsOf, onRampsOf } from '../../../src/config/checks/chain-identity.js';
import { parseConfig } from '../../../src/config/load.js';
import { ConfigError } from '../../../src/config/problems.js';
import type { Config } from '../../../src/config/schema/schema.js';

const A = `0x${'a1'.repeat(20)}`;
const B = `0x${'b2'.repeat(20)}`;
const ETHEREUM = '5009297550715157269';
const SEPOLIA = '16015286601757825753';
const UNKNOWN = '4242424242424242';

function chain(name: string, selector: string, keys = `OnRamp = "${A}"`): string {
  return `[[Chain]]\nName = "${name}"\nSelector = "${selector}"\nRpcUrls = ["http://localhost:1"]\n${keys}\n`;
}

function load(...chains: readonly string[]): Config {
  return parseConfig(
    parse(`${chains.join('')}[Storage]\nStrategy = "single"\nSingle = { Type = "memory" }`),
    'test.toml',
  );
}

function problemsOf(...chains: readonly string[]): Record<string, string> {
  try {
    load(...chains);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return Object.fromEntries(error.problems.map(({ path, message }) => [path, message]));
  }
  return {};
}

describe('the chain id of a chain', () => {
  it.each([
    ['Ethereum', ETHEREUM, 1],
    ['Sepolia', SEPOLIA, 11_155_111],
    ['Arbitrum', '4949039107694359620', 42_161],
    ['Base', '15971525489660198786', 8_453],
    ['Avalanche Fuji, above 2^63', '14767482510784806043', 43_113],
    ['the local chain 1337', '3379446385462418246', 1_337],
    ['the local chain 2337', '12922642891491394802', 2_337],
    ['the local chain 31337', '7759470850252068959', 31_337],
  ])('follows from the selector of %s', (_, selector, chainId) => {
    const config = load(chain('a', selector));
    expect(chainIdOf(config.Chain[0]!)).toBe(chainId);
    expect(chainIdentityWarnings(config)).toEqual([]);
  });

  it('is asked for in a warning when the list does not have the selector, and is taken from ChainID', () => {
    const config = load(chain('a', UNKNOWN));
    expect(chainIdOf(config.Chain[0]!)).toBeNull();
    expect(chainIdentityWarnings(config)).toMatchObject([{ path: 'Chain[0].ChainID' }]);
    const told = load(chain('a', UNKNOWN, `OnRamp = "${A}"\nChainID = 77`));
    expect(chainIdOf(told.Chain[0]!)).toBe(77);
    expect(chainIdentityWarnings(told)).toEqual([]);
  });

  it.each([
    [
      'contradicts the selector',
      [chain('a', ETHEREUM, `OnRamp = "${A}"\nChainID = 10`)],
      'Chain[0].ChainID',
      /is 10, .* chain id 1:/,
    ],
    ['is no number', [chain('a', UNKNOWN, `OnRamp = "${A}"\nChainID = "1"`)], 'Chain[0].ChainID', /whole number/],
    ['is 0', [chain('a', UNKNOWN, `OnRamp = "${A}"\nChainID = 0`)], 'Chain[0].ChainID', /at least 1/],
    [
      'is that of another chain in the file',
      [chain('a', ETHEREUM), chain('b', UNKNOWN, `OnRamp = "${B}"\nChainID = 1`)],
      'Chain[1].ChainID',
      /as Chain\[0\] is/,
    ],
    ['cannot be, since the chain has no EVM nodes', [chain('a', '124615329519749607')], 'Chain[0].Selector', /Solana/],
    ['is of two chains with one selector', [chain('a', ETHEREUM), chain('b', ETHEREUM)], 'Chain[1].Selector', /./],
  ])('is refused when it %s', (_, chains, path, message) => {
    const problems = problemsOf(...chains);
    expect(Object.keys(problems)).toEqual([path]);
    expect(problems[path]).toMatch(message);
  });

  it('agrees with the selector when it is told as well', () => {
    expect(problemsOf(chain('a', ETHEREUM, `OnRamp = "${A}"\nChainID = 1`))).toEqual({});
  });
});

describe('the OnRamps of a chain', () => {
  const tables = (...entries: readonly string[]) => entries.map((entry) => `[[Chain.OnRamps]]\n${entry}`).join('\n');

  it.each([
    ['OnRamp alone', `OnRamp = "${A}"\nStartBlock = 7`, [[A, 7]]],
    [
      'tables, a start block each',
      tables(`Address = "${A}"\nStartBlock = 7`, `Address = "${B}"\nStartBlock = 9`),
      [
        [A, 7],
        [B, 9],
      ],
    ],
    [
      'both, and the default start block',
      `OnRamp = "${A}"\nStartBlock = 7\n${tables(`Address = "${B}"`)}`,
      [
        [A, 7],
        [B, 7],
      ],
    ],
  ])('are %s', (_, keys, expected) => {
    const config = load(chain('a', ETHEREUM, keys));
    expect(onRampsOf(config.Chain[0]!).map(({ address, startBlock }) => [address, startBlock])).toEqual(expected);
  });

  it.each([
    ['there is none', '', 'Chain[0].OnRamp', /write the address/],
    [
      'one is there twice',
      `OnRamp = "${A}"\n${tables(`Address = "${A.toUpperCase().replace('0X', '0x')}"`)}`,
      'Chain[0].OnRamps[0].Address',
      /second time/,
    ],
    [
      'two tables are equal',
      tables(`Address = "${B}"`, `Address = "${B}"\nStartBlock = 3`),
      'Chain[0].OnRamps[1].Address',
      /second time/,
    ],
    ['a table has no address', tables('StartBlock = 3'), 'Chain[0].OnRamps[0].Address', /20 bytes/],
    ['they are a list of addresses', `OnRamps = ["${A}"]`, 'Chain[0].OnRamps[0]', /table/],
  ])('are refused when %s', (_, keys, path, message) => {
    const problems = problemsOf(chain('a', ETHEREUM, keys));
    expect(Object.keys(problems)).toEqual([path]);
    expect(problems[path]).toMatch(message);
  });

  it('may be none where there is an OffRamp, of which there may be several too', () => {
    const offRamps = `OffRamp = "${A}"\nStartBlock = 7\n[[Chain.OffRamps]]\nAddress = "${B}"\nStartBlock = 9`;
    const config = load(chain('a', ETHEREUM, offRamps));
    expect(onRampsOf(config.Chain[0]!)).toEqual([]);
    expect(offRampsOf(config.Chain[0]!)).toEqual([
      { address: A, startBlock: 7 },
      { address: B, startBlock: 9 },
    ]);
    const same = problemsOf(chain('a', ETHEREUM, `OnRamp = "${A}"\nOffRamp = "${A}"`));
    expect(same['Chain[0].OffRamp']).toMatch(/address of the OnRamp/);
    const twice = problemsOf(chain('a', ETHEREUM, `OnRamp = "${A}"\n[[Chain.OffRamps]]\nAddress = "${A}"`));
    expect(twice['Chain[0].OffRamps[0].Address']).toMatch(/second time/);
  });

  it('may have one address on two chains', () => {
    expect(problemsOf(chain('a', ETHEREUM), chain('b', SEPOLIA))).toEqual({});
  });
});
