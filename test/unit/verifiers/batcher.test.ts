import { describe, expect, it } from 'vitest';
import { AbortedError, ClosedError } from '../../../src/core/errors.js';
import { createBatcher, type Outcome } from '../../../src/verifiers/batcher.js';
import { createManualClock } from '../../support/manual-clock.js';

function setUp(maxSize = 3, maxWaitMs = 100) {
  const clock = createManualClock();
  const batches: (readonly number[])[] = [];
  const runs: ((outcomes?: Map<number, Outcome<string>>) => void)[] = [];
  const batcher = createBatcher<number, string>({
    name: 'test',
    maxSize,
    maxWaitMs,
    clock,
    run: (items, signal) =>
      new Promise((resolve, reject) => {
        batches.push(items);
        runs.push((outcomes) =>
          resolve(outcomes ?? new Map(items.map((item) => [item, { ok: true, value: `r${item}` }]))),
        );
        signal.addEventListener('abort', () => reject(new AbortedError('run')), { once: true });
      }),
  });
  return { clock, batcher, batches, runs };
}

describe('a batch', () => {
  it('leaves at once when it is full', async () => {
    const { batcher, batches, runs, clock } = setUp();
    const results = [1, 2, 3, 4].map((item) => batcher.add(item));
    expect(batches).toEqual([[1, 2, 3]]);
    await clock.advance(100);
    expect(batches).toEqual([[1, 2, 3], [4]]);
    for (const run of runs) run();
    expect(await Promise.all(results)).toEqual(['r1', 'r2', 'r3', 'r4']);
    expect(clock.pending).toBe(0);
  });

  it('leaves when its first item has waited long enough', async () => {
    const { batcher, batches, runs, clock } = setUp();
    const first = batcher.add(1);
    await clock.advance(60);
    const second = batcher.add(2);
    await clock.advance(39);
    expect(batches).toEqual([]);
    await clock.advance(1);
    expect(batches).toEqual([[1, 2]]);
    runs[0]?.();
    expect(await Promise.all([first, second])).toEqual(['r1', 'r2']);
  });

  it('holds an item once, however many ask for it', async () => {
    const { batcher, batches, runs, clock } = setUp();
    const results = [batcher.add(1), batcher.add(1), batcher.add(1)];
    await clock.advance(100);
    expect(batches).toEqual([[1]]);
    runs[0]?.();
    expect(await Promise.all(results)).toEqual(['r1', 'r1', 'r1']);
  });

  it('fails only the item that is bad, or missing', async () => {
    const { batcher, runs } = setUp();
    const results = [1, 2, 3].map((item) => batcher.add(item));
    runs[0]?.(
      new Map<number, Outcome<string>>([
        [1, { ok: true, value: 'fine' }],
        [2, { ok: false, error: new Error('bad') }],
      ]),
    );
    expect(await Promise.allSettled(results)).toMatchObject([
      { status: 'fulfilled', value: 'fine' },
      { status: 'rejected', reason: { message: 'bad' } },
      { status: 'rejected', reason: { code: 'BATCH_INCOMPLETE' } },
    ]);
  });

  it('leaves without an item whose caller gave up, and not at all when that was the last', async () => {
    const { batcher, batches, runs, clock } = setUp();
    const leaving = new AbortController();
    const gone = batcher.add(1, leaving.signal);
    const kept = batcher.add(2);
    leaving.abort();
    await expect(gone).rejects.toBeInstanceOf(AbortedError);
    await clock.advance(100);
    expect(batches).toEqual([[2]]);
    runs[0]?.();
    expect(await kept).toBe('r2');

    const alone = new AbortController();
    const last = batcher.add(3, alone.signal);
    alone.abort();
    await expect(last).rejects.toBeInstanceOf(AbortedError);
    expect(clock.pending).toBe(0);
    await expect(batcher.add(4, alone.signal)).rejects.toBeInstanceOf(AbortedError);
    expect(batches).toHaveLength(1);
  });

  it('goes on when one of its callers gives up after it left', async () => {
    const { batcher, runs, clock } = setUp();
    const leaving = new AbortController();
    const gone = batcher.add(1, leaving.signal);
    const kept = batcher.add(2);
    await clock.advance(100);
    leaving.abort();
    await expect(gone).rejects.toBeInstanceOf(AbortedError);
    runs[0]?.();
    expect(await kept).toBe('r2');
  });

  it('that waits or runs ends when the batcher closes', async () => {
    const { batcher, clock } = setUp();
    const running = [1, 2, 3].map((item) => batcher.add(item));
    const waiting = batcher.add(4);
    const ends = Promise.allSettled([...running, waiting]);
    await batcher.close();
    for (const end of await ends) expect(end).toMatchObject({ status: 'rejected', reason: expect.any(ClosedError) });
    await expect(batcher.add(5)).rejects.toBeInstanceOf(ClosedError);
    expect(clock.pending).toBe(0);
    await batcher.close();
  });
});
