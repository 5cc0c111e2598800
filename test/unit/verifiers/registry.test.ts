import { expect, it } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import { createVerifierRegistry } from '../../../src/verifiers/registry.js';
import type { VerifierReader } from '../../../src/verifiers/verifier-reader.js';

const A: Hex = '0x09635f643e140090a9a8dcd712ed6285858cebef';
const SOLANA: Hex = `0x${'00'.repeat(11)}01${'ab'.repeat(20)}`;
const reader = (name: string, issuerAddresses: readonly Hex[]) =>
  ({ name, issuerAddresses, close: async () => undefined }) as unknown as VerifierReader;

it('finds all readers of a CCV in configured order, however its address is spelled', () => {
  const first = reader('first', [A, `0x${'00'.repeat(12)}${A.slice(2)}`]);
  const second = reader('second', [A.toUpperCase().replace('0X', '0x') as Hex]);
  const other = reader('other', [SOLANA]);
  const registry = createVerifierRegistry([first, other, second]);
  for (const spelling of [A, A.toUpperCase().replace('0X', '0x') as Hex, `0x${'00'.repeat(12)}${A.slice(2)}` as Hex])
    expect(registry.readersFor(spelling)).toEqual([first, second]);
  expect(registry.readersFor(SOLANA)).toEqual([other]);
  expect(registry.readersFor(`0x${'ab'.repeat(20)}`)).toEqual([]);
  expect(registry.readersFor('0x')).toEqual([]);
});
