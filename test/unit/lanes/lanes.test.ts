import { expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { LaneBoard } from '../../../src/lanes/lane-board.js';
import { laneViews } from '../../../src/lanes/lane-views.js';
import { createLanes, LanesBehindError } from '../../../src/lanes/lanes.js';
import type { Change } from '../../../src/model/batch.js';
import type { StoredMessage } from '../../../src/model/records.js';
import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';

test('promise 3: a board is not told while nothing says whether it is that of the storage', async () => {
  const clock = createManualClock();
  const common = createCommon({ clock });
  const storage = createMemoryStorage({ name: 'warm', common });
  let isAway = false;
  const lanes = createLanes({
    storage: {
      subscribe: (listener) => storage.subscribe(listener),
      changesAfter: async (...of) => {
        if (isAway) throw new StorageUnavailableError('warm', 'read changes');
        return await storage.changesAfter(...of);
      },
    },
    common,
  });
  await storage.insertBatch({ messages: [createRecordMaker(1).message()] });
  expect((await lanes.board()).position).toBe(1n);
  isAway = true;
  await clock.advance(15_000);
  await expect(lanes.board()).rejects.toThrow(LanesBehindError);
  isAway = false;
  await clock.advance(15_000);
  expect((await lanes.board()).position).toBe(1n);
  await lanes.close();
  await storage.close();
});

test('a message that is executed and told again long after it was verified counts once and waits for nothing', () => {
  const ON_RAMP: Hex = `0x${'0a'.repeat(32)}`;
  const atMs = 1_763_000_000_000;
  const make = createRecordMaker(3);
  const board = new LaneBoard();
  const stamp = () => {
    const position = board.position + 1n;
    return { position, ingestionMs: atMs, firstMs: atMs, orphaned: false };
  };
  const tell = (change: Change) => board.apply(change);
  const message = (record: StoredMessage) => tell({ kind: 'message', position: record.position, record });
  const sent = Array.from({ length: 4_500 }, (_, place) => {
    const ofLane = { sourceChainSelector: SELECTORS.low, destChainSelector: SELECTORS.high, onRamp: ON_RAMP };
    return make.message({ ...ofLane, messageNumber: BigInt(place + 1), origin: null });
  });
  for (const each of sent) {
    message({ ...each, ...stamp(), status: 'processing' });
    const record = { ...make.result(each), ...stamp(), verdict: null };
    tell({ kind: 'verifierResult', position: record.position, record });
  }
  const [first] = sent;
  if (!first) throw new Error('none was sent');
  const execution = { ...make.execution(first, { state: 'success' }), ...stamp() };
  tell({ kind: 'execution', position: execution.position, record: execution });
  const result = { ...make.result(first), ...stamp(), verdict: null };
  tell({ kind: 'verifierResult', position: result.position, record: result });
  message({ ...first, origin: make.origin(5n), ...stamp(), status: 'processing' });
  const [lane] = laneViews(board, atMs, () => true);
  expect(lane).toMatchObject({ waiting: { messages: 0 }, windows: { '24h': { sent: 4_500, verified: 4_500 } } });
  expect(lane?.onRamps).toMatchObject([{ contiguousNumber: 4_500n }]);
});
