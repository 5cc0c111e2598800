import { afterEach, expect, it } from 'vitest';
import { createChainMetrics } from '../../../src/chains/chain-metrics.js';
import { chainSourceId } from '../../../src/chains/source-ids.js';
import type { WatchedChain } from '../../../src/chains/watch/watched-chain.js';
import { WatcherJournal } from '../../../src/chains/watch/watcher-journal.js';
import { WatcherPosition } from '../../../src/chains/watch/watcher-position.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { createChainStore } from '../../../src/indexer/chain-store.js';
import { CursorConflictError } from '../../../src/model/storage-errors.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';

const make = createRecordMaker(4);
let storage: Storage;
afterEach(() => storage.close());

const ON_RAMP: Hex = '0xABababababababababababababababababababab';
const SOURCE_ID = `chain:14767482510784806043:${ON_RAMP.toLowerCase()}`;
const newMessage = () =>
  make.message({
    sourceChainSelector: SELECTORS.high,
    onRamp: `0x${ON_RAMP.slice(2).toLowerCase().padStart(64, '0')}`,
  });

/** A position over a storage of its own, as a watcher has it. */
function setUp() {
  storage = createMemoryStorage({ name: 'memory' });
  const common = createCommon();
  const store = createChainStore({ storage, selector: SELECTORS.high, rampAddresses: [ON_RAMP] });
  const chain: WatchedChain = {
    ...{ name: 'a', selector: SELECTORS.high, onRamps: [{ address: ON_RAMP, startBlock: 0 }] },
    ...{ confirmations: 'finalized', pollIntervalMs: 1_000, maxBlockRange: 2_000 },
  };
  const position = () =>
    new WatcherPosition({
      ...{ store, writer: storage, clock: common.clock, cursorEveryMs: 60_000 },
      sourceIds: [chainSourceId(SELECTORS.high, ON_RAMP)],
      journal: new WatcherJournal(chain, common, createChainMetrics(common.metrics)),
    });
  return { store, common, position };
}

it('promise 1: stores messages, orphanings, quarantine and cursor of a step in one commit', async () => {
  const { store, common, position } = setUp();
  const first = newMessage();
  const watcher = position();
  expect(await watcher.load(1)).toMatchObject({ anchor: { number: 0, hash: null } });
  await watcher.commit({ messages: [first] }, { number: 0, hash: null }, true);
  const before = storage.coverage().throughPosition;
  const commits: unknown[] = [];
  storage.subscribe((event) => commits.push(event));

  const second = newMessage();
  const hash = make.hex(32);
  const entry = { ...{ key: 'k', reason: 'r', detail: 'd', raw: make.bytes(3) }, messageId: null };
  await watcher.commit(
    {
      messages: [second],
      orphanings: [{ messageId: first.messageId, blockHash: first.origin!.blockHash }],
      quarantine: [{ sourceId: SOURCE_ID, ...entry }],
    },
    { number: 7, hash },
    true,
  );
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
  expect(await common.metrics.metrics()).toContain('indexer_time_to_index_seconds_count{query="chain"} 2');
});

it('stores nothing where another process moved the cursor first, and has to read it again', async () => {
  const { store, common, position } = setUp();
  const [watcher, other] = [position(), position()];
  await Promise.all([watcher.load(1), other.load(1)]);
  await other.commit({}, { number: 5, hash: make.hex(32) }, true);
  const late = watcher.commit({ messages: [newMessage()] }, { number: 6, hash: make.hex(32) }, true);
  await expect(late).rejects.toBeInstanceOf(CursorConflictError);
  expect(watcher.isCertain).toBe(false);
  expect(await store.messagesAbove(0n)).toEqual([]);
  expect(await store.cursor()).toMatchObject({ height: 5n });
  expect(await common.metrics.metrics()).not.toContain('indexer_time_to_index_seconds_count');
});
