import { expect, test } from 'vitest';
import { createFeedReads } from '../../../src/api/v2/feed/feed-reads.js';
import type { ChangeSet } from '../../../src/model/batch.js';
import type { AdvanceListener } from '../../../src/storage/storage.js';
import { createRecordMaker } from '../../support/records.js';

const make = createRecordMaker(17);

/** A set of one change at position 1, of two that there are. */
function setOf(): ChangeSet {
  const stamp = { ingestionMs: 1, position: 1n, firstMs: 1, orphaned: false };
  const record = { ...make.message(), ...stamp, status: 'processing' as const };
  const heads = { headPosition: 2n, headMs: 1, headMovePosition: 0n, readMs: 1 };
  return { afterPosition: 0n, throughPosition: 1n, ...heads, changes: [{ kind: 'message', position: 1n, record }] };
}

test('promise 3: a read that was under way when the storage was set back is not told to later readers', async () => {
  let listener: AdvanceListener = () => undefined;
  const held: ((set: ChangeSet) => void)[] = [];
  const reads = createFeedReads({
    changesAfter: () => new Promise<ChangeSet>((resolve) => held.push(resolve)),
    boundaryAt: async () => ({ position: 2n, ingestionMs: 1 }),
    subscribe(given) {
      listener = given;
      return () => undefined;
    },
  });
  const [lost, present] = [setOf(), setOf()];
  const before = reads.after(0n);
  listener({ kind: 'set-back', head: { position: 0n, ingestionMs: -1 } });
  const during = reads.after(0n);
  held[0]?.(lost);
  held[1]?.(present);
  const tell = async (set: Promise<{ changes: readonly { json: string }[] }>) => (await set).changes[0]?.json;
  const lostJson = await tell(before);
  const presentJson = await tell(during);
  expect(held).toHaveLength(2);
  expect(presentJson).not.toBe(lostJson);
  expect(await tell(reads.after(0n))).toBe(presentJson);
  reads.close();
});
