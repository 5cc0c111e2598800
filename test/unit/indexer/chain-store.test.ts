import { afterEach, expect, it } from 'vitest';
import { OnRampsApartError } from '../../../src/chains/chain-errors.js';
import { chainSourceId, confirmedSourceId } from '../../../src/chains/source-ids.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { createChainStore } from '../../../src/indexer/chain-store.js';
import { CursorConflictError } from '../../../src/model/storage-errors.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';

const make = createRecordMaker(3);
let storage: Storage;
afterEach(() => storage.close());

const ON_RAMP = '0xABababababababababababababababababababab';
const OTHER = '0xcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd';
const SOURCE_ID = `chain:14767482510784806043:${ON_RAMP.toLowerCase()}`;
const messageOf = (onRamp: Hex) =>
  make.message({ sourceChainSelector: SELECTORS.high, onRamp: `0x${onRamp.slice(2).toLowerCase().padStart(64, '0')}` });

function setUp() {
  storage = createMemoryStorage({ name: 'memory' });
  const common = createCommon();
  const store = createChainStore({ storage, selector: SELECTORS.high, onRampAddresses: [ON_RAMP], common });
  return { store, common };
}

const cursorsAt = (height: bigint, expectedHeight: bigint | null, onRamps: readonly Hex[] = [ON_RAMP]) => {
  const hash = make.hex(32);
  return onRamps.map((onRamp) => ({ sourceId: chainSourceId(SELECTORS.high, onRamp), height, hash, expectedHeight }));
};
const quarantined = (onRamp: Hex) => ({
  sourceId: chainSourceId(SELECTORS.high, onRamp),
  ...{ key: 'k', reason: 'r', detail: 'd', raw: make.bytes(3), messageId: null },
});

it('promise 1: stores messages, orphanings, quarantine and cursor of a step in one commit', async () => {
  const { store, common } = setUp();
  expect(await store.cursor()).toBeNull();
  const first = messageOf(ON_RAMP);
  await store.commit({ messages: [first] });
  const before = storage.coverage().throughPosition;
  const commits: unknown[] = [];
  storage.subscribe((event) => commits.push(event));

  const second = messageOf(ON_RAMP);
  const cursors = cursorsAt(7n, null);
  await store.commit({
    messages: [second],
    orphanings: [{ messageId: first.messageId, blockHash: first.origin!.blockHash }],
    quarantine: [quarantined(ON_RAMP)],
    cursors,
  });
  expect(commits).toHaveLength(1);
  expect(storage.coverage().throughPosition).toBeGreaterThan(before);
  expect(await store.cursor()).toEqual({ height: 7n, hash: cursors[0]!.hash });
  expect(await storage.getCursor(SOURCE_ID)).toMatchObject({ height: 7n });
  expect((await storage.getMessage(first.messageId)).orphaned).toBe(true);
  expect(await storage.queryQuarantine({ afterPosition: 0n, limit: 9 })).toMatchObject([
    { sourceId: SOURCE_ID, key: 'k' },
  ]);
  expect(await store.messagesAbove(0n)).toEqual([
    { messageId: second.messageId, blockNumber: second.origin!.blockNumber, blockHash: second.origin!.blockHash },
  ]);
  expect(await common.metrics.metrics()).toContain('indexer_time_to_index_seconds_count 2');
});

it('stores nothing when another process moved the cursor first', async () => {
  const { store } = setUp();
  await store.commit({ cursors: cursorsAt(5n, null) });
  const late = messageOf(ON_RAMP);
  const commit = store.commit({
    messages: [late],
    cursors: cursorsAt(6n, null),
  });
  await expect(commit).rejects.toBeInstanceOf(CursorConflictError);
  expect(await store.messagesAbove(0n)).toEqual([]);
  expect(await store.cursor()).toMatchObject({ height: 5n });
});

it('keeps the confirmed block beside the cursor, and moves either in the commit of its messages', async () => {
  const { store } = setUp();
  const found = messageOf(ON_RAMP);
  await store.commit({ cursors: cursorsAt(5n, null) });
  expect([...(await store.confirmed()).values()]).toEqual([null]);
  const confirmed = [{ ...cursorsAt(3n, null)[0]!, sourceId: confirmedSourceId(SELECTORS.high, ON_RAMP) }];
  await store.commit({ messages: [found], cursors: confirmed });
  expect((await store.confirmed()).get(ON_RAMP as Hex)).toMatchObject({ height: 3n });
  expect(await store.cursor()).toMatchObject({ height: 5n });
  await expect(store.commit({ cursors: confirmed })).rejects.toBeInstanceOf(CursorConflictError);
});

it('takes another OnRamp of the chain for another source: read from its start, its messages its own', async () => {
  const { store, common } = setUp();
  const old = messageOf(ON_RAMP);
  await store.commit({
    messages: [old],
    cursors: cursorsAt(100n, null),
  });
  const next = createChainStore({ storage, selector: SELECTORS.high, onRampAddresses: [OTHER], common });
  expect(await next.cursor()).toBeNull();
  expect(await next.messagesAbove(0n)).toEqual([]);
  const fresh = messageOf(OTHER);
  await next.commit({
    messages: [fresh],
    cursors: cursorsAt(50n, null, [OTHER]),
  });
  expect(await next.messagesAbove(0n)).toMatchObject([{ messageId: fresh.messageId }]);
  expect(await store.messagesAbove(0n)).toMatchObject([{ messageId: old.messageId }]);
  expect(await store.cursor()).toMatchObject({ height: 100n });
});

it('moves the cursors of OnRamps that are read together in one commit, and says when one of them was moved alone', async () => {
  const { store, common } = setUp();
  const together = createChainStore({ storage, selector: SELECTORS.high, onRampAddresses: [ON_RAMP, OTHER], common });
  const cursors = cursorsAt(100n, null, [ON_RAMP, OTHER]);
  const { hash } = cursors[0]!;
  const [one, two] = [messageOf(ON_RAMP), messageOf(OTHER)];
  await together.commit({
    messages: [one, two],
    quarantine: [quarantined(OTHER)],
    cursors,
  });
  expect(await together.cursor()).toEqual({ height: 100n, hash });
  expect(await store.cursor()).toEqual({ height: 100n, hash });
  expect((await together.messagesAbove(0n)).map(({ messageId }) => messageId).sort()).toEqual(
    [one, two].map(({ messageId }) => messageId).sort(),
  );
  expect(await storage.queryQuarantine({ afterPosition: 0n, limit: 9 })).toMatchObject([
    { sourceId: `chain:${SELECTORS.high}:${OTHER}`, key: 'k' },
  ]);
  await store.commit({ cursors: cursorsAt(101n, 100n) });
  await expect(together.cursor()).rejects.toBeInstanceOf(OnRampsApartError);
  const late = together.commit({
    messages: [messageOf(OTHER)],
    cursors: cursorsAt(102n, 100n, [ON_RAMP, OTHER]),
  });
  await expect(late).rejects.toBeInstanceOf(CursorConflictError);
});
