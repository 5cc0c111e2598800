import { describe, expect, it } from 'vitest';
import { createBodyMemory } from '../../../src/api/routes/body-memory.js';

const SIZE = 300_000;

describe('memory of bodies', () => {
  it('is used again once it was given back, and has the size that was asked for', () => {
    const memory = createBodyMemory({ maxIdleBytes: 1024 * 1024 });
    const first = memory.take(SIZE);
    expect(first.length).toBe(SIZE);
    memory.giveBack(first);
    const second = memory.take(SIZE + 1);
    expect(second.length).toBe(SIZE + 1);
    expect(second.buffer).toBe(first.buffer);
  });

  it('is never lent twice at once', () => {
    const memory = createBodyMemory({ maxIdleBytes: 64 * 1024 * 1024 });
    const lent = Array.from({ length: 20 }, () => memory.take(SIZE));
    expect(new Set(lent.map((body) => body.buffer)).size).toBe(20);
    for (const body of lent) memory.giveBack(body);
    for (const body of lent) memory.giveBack(body);
    const again = Array.from({ length: 40 }, () => memory.take(SIZE));
    expect(new Set(again.map((body) => body.buffer)).size).toBe(40);
  });

  it('takes back nothing that it did not lend', () => {
    const memory = createBodyMemory({ maxIdleBytes: 1024 * 1024 });
    const foreign = Buffer.allocUnsafeSlow(2 ** 19);
    memory.giveBack(foreign);
    const small = memory.take(100);
    memory.giveBack(small);
    expect(memory.take(SIZE).buffer).not.toBe(foreign.buffer);
    expect(memory.take(100).buffer === small.buffer && memory.take(100).byteOffset === small.byteOffset).toBe(false);
  });

  it('is not kept beyond what may lie idle', () => {
    const memory = createBodyMemory({ maxIdleBytes: 2 ** 19 });
    const [first, second] = [memory.take(SIZE), memory.take(SIZE)];
    memory.giveBack(first);
    memory.giveBack(second);
    expect(memory.take(SIZE).buffer).toBe(first.buffer);
    expect(memory.take(SIZE).buffer).not.toBe(second.buffer);
  });
});
