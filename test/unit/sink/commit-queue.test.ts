import { describe, expect, test } from 'vitest';
import type { Change, ChangeSet } from '../../../src/model/batch.js';
import { CommitQueue } from '../../../src/sink/follow/commit-queue.js';

const set = (afterPosition: bigint, throughPosition: bigint): ChangeSet => ({
  afterPosition,
  throughPosition,
  headPosition: throughPosition,
  headMs: 0,
  headMovePosition: 0n,
  readMs: 0,
  changes: Array.from(
    { length: Number(throughPosition - afterPosition) },
    () => ({ kind: 'cursor', record: {} }) as Change,
  ),
});

describe('commit queue', () => {
  test('gives what continues, passes over what is held already, stops at a gap', () => {
    const queue = new CommitQueue(100, 1_000);
    for (const each of [set(0n, 2n), set(2n, 5n), set(6n, 8n)]) queue.add(each);
    expect(queue.takeNext(2n)).toEqual(set(2n, 5n));
    expect(queue.takeNext(5n)).toBeNull();
    expect(queue.isEmpty).toBe(false);
    expect(queue.takeNext(7n)).toEqual(set(6n, 8n));
    expect(queue.isEmpty).toBe(true);
    expect(queue.takeNext(8n)).toBeNull();
  });

  test('forgets the oldest beyond its bound, which opens a gap', () => {
    const queue = new CommitQueue(4, 1_000);
    for (let i = 0n; i < 6n; i += 2n) queue.add(set(i, i + 2n));
    expect(queue.takeNext(0n)).toBeNull();
    expect(queue.takeNext(2n)).toEqual(set(2n, 4n));
    expect(queue.takeNext(4n)).toEqual(set(4n, 6n));
  });

  test('forgets the oldest beyond its bytes too, and counts them back when they are taken', () => {
    const large = (afterPosition: bigint): ChangeSet => ({
      ...set(afterPosition, afterPosition + 1n),
      changes: [
        {
          kind: 'quarantine',
          position: afterPosition + 1n,
          record: { raw: new Uint8Array(600), detail: '' },
        } as unknown as Change,
      ],
    });
    const queue = new CommitQueue(100, 1_000);
    queue.add(large(0n));
    expect(queue.takeNext(0n)).not.toBeNull();
    queue.add(large(1n));
    expect(queue.takeNext(1n)).not.toBeNull();
    queue.add(large(2n));
    queue.add(large(3n));
    expect(queue.takeNext(2n)).toBeNull();
    expect(queue.takeNext(3n)).toEqual(large(3n));
  });

  test('keeps one commit that alone is larger than the bound', () => {
    const queue = new CommitQueue(4, 1_000);
    queue.add(set(0n, 9n));
    expect(queue.takeNext(0n)).toEqual(set(0n, 9n));
  });
});
