import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import {
  CCVAndExecutorHashError,
  computeCCVAndExecutorHash,
  createCCVAndExecutorHasher,
} from '../../../src/protocol/ccv-and-executor-hash.js';

const address = fc.uint8Array({ minLength: 2, maxLength: 2 }).map(bytesToHex);

it('a hasher with a memory says what one without says, whatever it was asked before', () => {
  const lists = fc.array(fc.tuple(fc.array(address, { maxLength: 3 }), address), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(lists, fc.integer({ min: 1, max: 4 }), (asked, maxEntries) => {
      const hash = createCCVAndExecutorHasher(maxEntries);
      for (const [ccvs, executor] of [...asked, ...asked])
        expect(hash(ccvs, executor)).toBe(computeCCVAndExecutorHash(ccvs, executor));
    }),
  );
});

it('a hasher with a memory refuses what cannot be hashed each time', () => {
  const hash = createCCVAndExecutorHasher();
  const unequal: Hex[] = ['0x00', '0x0000'];
  for (let time = 0; time < 2; time += 1) expect(() => hash(unequal, '0x00')).toThrow(CCVAndExecutorHashError);
});
