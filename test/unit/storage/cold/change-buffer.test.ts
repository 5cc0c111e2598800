import { expect, test } from 'vitest';
import { ChangeBuffer } from '../../../../src/storage/cold/write/change-buffer.js';
import { createMemoryStorage } from '../../../../src/storage/memory/memory-storage.js';
import { createRecordMaker } from '../../../support/records.js';

const make = createRecordMaker(3);

async function liveOrigin() {
  const origin = createMemoryStorage({ name: 'origin' });
  const messages = [make.message(), make.message()];
  await origin.insertBatch({ messages, cursors: [{ sourceId: 's', height: 1n, hash: null, expectedHeight: null }] });
  const first = await origin.changesAfter(0n);
  await origin.insertBatch({
    statuses: [{ messageId: messages[0]!.messageId, status: 'success' }],
    verifierResults: [make.result(messages[1]!)],
    cursors: [{ sourceId: 's', height: 2n, hash: null, expectedHeight: 1n }],
  });
  const second = await origin.changesAfter(first.throughPosition);
  await origin.close();
  return { messages, first, second };
}

test('of a record that changed twice the last state is kept', async () => {
  const { first, second } = await liveOrigin();
  const buffer = new ChangeBuffer('cold');
  buffer.add(first);
  const firstBytes = buffer.sizeBytes;
  buffer.add(second);
  buffer.add(first);
  const { records, ledger, head, whole } = buffer.contentAbove(-1n)!;
  const statuses = records.flatMap(({ kind, record }) => (kind === 'message' ? [record.status] : []));
  expect(statuses.sort()).toEqual(['processing', 'success']);
  expect(records).toHaveLength(3);
  expect(ledger.map(({ position }) => position)).toEqual([second.throughPosition]);
  expect(head).toMatchObject({ position: second.throughPosition, headMs: second.headMs });
  expect(whole).toBe(true);
  expect(buffer.sizeBytes).toBeGreaterThan(firstBytes);
});

test('what is committed leaves, what changed since stays', async () => {
  const { first, second } = await liveOrigin();
  const buffer = new ChangeBuffer('cold');
  buffer.add(first);
  const { head } = buffer.contentAbove(-1n)!;
  buffer.add(second);
  buffer.committed(head);
  expect(buffer.records).toBe(second.changes.length);
  expect(buffer.position).toBe(second.throughPosition);
  buffer.committed({ ...head, position: 100n });
  expect(buffer.records).toBe(0);
  expect(buffer.sizeBytes).toBe(0);
  expect(buffer.position).toBe(100n);
});

test('a set that starts above where the buffer stands is refused, one that ends below its head is not whole', async () => {
  const { first, second } = await liveOrigin();
  const buffer = new ChangeBuffer('cold');
  expect(() => buffer.add(second)).toThrowError(expect.objectContaining({ name: 'PositionGapError' }));
  buffer.add({ ...first, headPosition: second.headPosition });
  expect(buffer.contentAbove(-1n)!.whole).toBe(false);
  expect(buffer.contentAbove(-1n)!.head.headMs).toBe(-1);
  buffer.add(second);
  expect(buffer.contentAbove(-1n)!.whole).toBe(true);
});
