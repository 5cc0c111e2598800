import { afterEach, expect, it } from 'vitest';
import { OnRampsApartError } from '../../../src/chains/chain-errors.js';
import type { ChainProgress } from '../../../src/chains/chain-port.js';
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

const nothing: ChainProgress = { messages: [], orphanings: [], quarantine: [], cursor: null };

it('stores messages, orphanings, quarantine and cursor of a step in one commit', async () => {
  const { store, common } = setUp();
  expect(await store.cursor()).toBeNull();
  const first = messageOf(ON_RAMP);
  await store.commit({ ...nothing, messages: [first] });
  const before = storage.coverage().throughPosition;
  const commits: unknown[] = [];
  storage.subscribe((event) => commits.push(event));

  const second = messageOf(ON_RAMP);
  const hash = make.hex(32);
  await store.commit({
    messages: [second],
    orphanings: [{ messageId: first.messageId, blockHash: first.origin!.blockHash }],
    quarantine: [{ key: 'k', onRampAddress: ON_RAMP, reason: 'r', detail: 'd', raw: make.bytes(3), messageId: null }],
    cursor: { height: 7n, hash, expectedHeight: null },
  });
  expect(commits).toHaveLength(1);
  expect(storage.coverage().throughPosition).toBeGreaterThan(before);
  expect(await store.cursor()).toEqual({ height: 7n, hash });
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
  await store.commit({ ...nothing, cursor: { height: 5n, hash: make.hex(32), expectedHeight: null } });
  const late = messageOf(ON_RAMP);
  const commit = store.commit({
    ...nothing,
    messages: [late],
    cursor: { height: 6n, hash: make.hex(32), expectedHeight: null },
  });
  await expect(commit).rejects.toBeInstanceOf(CursorConflictError);
  expect(await store.messagesAbove(0n)).toEqual([]);
  expect(await store.cursor()).toMatchObject({ height: 5n });
});

it('keeps the confirmed block beside the cursor, and moves either in the commit of its messages', async () => {
  const { store } = setUp();
  const found = messageOf(ON_RAMP);
  await store.commit({ ...nothing, cursor: { height: 5n, hash: make.hex(32), expectedHeight: null } });
  expect([...(await store.confirmed()).values()]).toEqual([null]);
  const confirmed = [{ onRampAddress: ON_RAMP as Hex, height: 3n, hash: make.hex(32), expectedHeight: null }];
  await store.commit({ ...nothing, messages: [found], confirmed });
  expect((await store.confirmed()).get(ON_RAMP as Hex)).toMatchObject({ height: 3n });
  expect(await store.cursor()).toMatchObject({ height: 5n });
  await expect(store.commit({ ...nothing, confirmed })).rejects.toBeInstanceOf(CursorConflictError);
});

it('does not trouble the storage when there is nothing to say', async () => {
  const { store } = setUp();
  const before = storage.coverage().throughPosition;
  await storage.close();
  await store.commit(nothing);
  expect(storage.coverage().throughPosition).toBe(before);
});

it('takes another OnRamp of the chain for another source: read from its start, its messages its own', async () => {
  const { store, common } = setUp();
  const old = messageOf(ON_RAMP);
  await store.commit({
    ...nothing,
    messages: [old],
    cursor: { height: 100n, hash: make.hex(32), expectedHeight: null },
  });
  const next = createChainStore({ storage, selector: SELECTORS.high, onRampAddresses: [OTHER], common });
  expect(await next.cursor()).toBeNull();
  expect(await next.messagesAbove(0n)).toEqual([]);
  const fresh = messageOf(OTHER);
  await next.commit({
    ...nothing,
    messages: [fresh],
    cursor: { height: 50n, hash: make.hex(32), expectedHeight: null },
  });
  expect(await next.messagesAbove(0n)).toMatchObject([{ messageId: fresh.messageId }]);
  expect(await store.messagesAbove(0n)).toMatchObject([{ messageId: old.messageId }]);
  expect(await store.cursor()).toMatchObject({ height: 100n });
});

it('moves the cursors of OnRamps that are read together in one commit, and says when one of them was moved alone', async () => {
  const { store, common } = setUp();
  const together = createChainStore({ storage, selector: SELECTORS.high, onRampAddresses: [ON_RAMP, OTHER], common });
  const hash = make.hex(32);
  const [one, two] = [messageOf(ON_RAMP), messageOf(OTHER)];
  await together.commit({
    ...nothing,
    messages: [one, two],
    quarantine: [{ key: 'k', onRampAddress: OTHER, reason: 'r', detail: 'd', raw: make.bytes(3), messageId: null }],
    cursor: { height: 100n, hash, expectedHeight: null },
  });
  expect(await together.cursor()).toEqual({ height: 100n, hash });
  expect(await store.cursor()).toEqual({ height: 100n, hash });
  expect((await together.messagesAbove(0n)).map(({ messageId }) => messageId).sort()).toEqual(
    [one, two].map(({ messageId }) => messageId).sort(),
  );
  expect(await storage.queryQuarantine({ afterPosition: 0n, limit: 9 })).toMatchObject([
    { sourceId: `chain:${SELECTORS.high}:${OTHER}`, key: 'k' },
  ]);
  await store.commit({ ...nothing, cursor: { height: 101n, hash: make.hex(32), expectedHeight: 100n } });
  await expect(together.cursor()).rejects.toBeInstanceOf(OnRampsApartError);
  const late = together.commit({
    ...nothing,
    messages: [messageOf(OTHER)],
    cursor: { height: 102n, hash: make.hex(32), expectedHeight: 100n },
  });
  await expect(late).rejects.toBeInstanceOf(CursorConflictError);
});
