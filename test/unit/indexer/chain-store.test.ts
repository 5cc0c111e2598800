import { afterEach, expect, it } from 'vitest';
import { RampsApartError } from '../../../src/chains/chain-errors.js';
import { chainSourceId, confirmedSourceId } from '../../../src/chains/source-ids.js';
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
const messageOf = (onRamp: Hex) =>
  make.message({ sourceChainSelector: SELECTORS.high, onRamp: `0x${onRamp.slice(2).toLowerCase().padStart(64, '0')}` });

function setUp() {
  storage = createMemoryStorage({ name: 'memory' });
  return createChainStore({ storage, selector: SELECTORS.high, rampAddresses: [ON_RAMP] });
}

const cursorsAt = (height: bigint, expectedHeight: bigint | null, onRamps: readonly Hex[] = [ON_RAMP]) => {
  const hash = make.hex(32);
  return onRamps.map((onRamp) => ({ sourceId: chainSourceId(SELECTORS.high, onRamp), height, hash, expectedHeight }));
};
const quarantined = (onRamp: Hex) => ({
  sourceId: chainSourceId(SELECTORS.high, onRamp),
  ...{ key: 'k', reason: 'r', detail: 'd', raw: make.bytes(3), messageId: null },
});

it('keeps the confirmed block beside the cursor, and moves either in the commit of its messages', async () => {
  const store = setUp();
  const found = messageOf(ON_RAMP);
  await storage.insertBatch({ cursors: cursorsAt(5n, null) });
  expect([...(await store.confirmed()).values()]).toEqual([null]);
  const confirmed = [{ ...cursorsAt(3n, null)[0]!, sourceId: confirmedSourceId(SELECTORS.high, ON_RAMP) }];
  await storage.insertBatch({ messages: [found], cursors: confirmed });
  expect((await store.confirmed()).get(ON_RAMP as Hex)).toMatchObject({ height: 3n });
  expect(await store.cursor()).toMatchObject({ height: 5n });
  await expect(storage.insertBatch({ cursors: confirmed })).rejects.toBeInstanceOf(CursorConflictError);
});

it('takes another OnRamp of the chain for another source: read from its start, its messages its own', async () => {
  const store = setUp();
  const old = messageOf(ON_RAMP);
  await storage.insertBatch({
    messages: [old],
    cursors: cursorsAt(100n, null),
  });
  const next = createChainStore({ storage, selector: SELECTORS.high, rampAddresses: [OTHER] });
  expect(await next.cursor()).toBeNull();
  expect(await next.messagesAbove(0n)).toEqual([]);
  const fresh = messageOf(OTHER);
  await storage.insertBatch({
    messages: [fresh],
    cursors: cursorsAt(50n, null, [OTHER]),
  });
  expect(await next.messagesAbove(0n)).toMatchObject([{ messageId: fresh.messageId }]);
  expect(await store.messagesAbove(0n)).toMatchObject([{ messageId: old.messageId }]);
  expect(await store.cursor()).toMatchObject({ height: 100n });
});

it('moves the cursors of OnRamps that are read together in one commit, and says when one of them was moved alone', async () => {
  const store = setUp();
  const together = createChainStore({ storage, selector: SELECTORS.high, rampAddresses: [ON_RAMP, OTHER] });
  const cursors = cursorsAt(100n, null, [ON_RAMP, OTHER]);
  const { hash } = cursors[0]!;
  const [one, two] = [messageOf(ON_RAMP), messageOf(OTHER)];
  await storage.insertBatch({
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
  await storage.insertBatch({ cursors: cursorsAt(101n, 100n) });
  await expect(together.cursor()).rejects.toBeInstanceOf(RampsApartError);
  const late = storage.insertBatch({
    messages: [messageOf(OTHER)],
    cursors: cursorsAt(102n, 100n, [ON_RAMP, OTHER]),
  });
  await expect(late).rejects.toBeInstanceOf(CursorConflictError);
});
