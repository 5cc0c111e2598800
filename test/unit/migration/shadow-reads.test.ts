import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Common, createCommon } from '../../../src/core/common.js';
import { createShadowReads, type ShadowReadOptions } from '../../../src/migration/shadow/shadow-reads.js';
import type { ChangeSet } from '../../../src/model/batch.js';
import type { NewMessage } from '../../../src/model/records.js';
import type { BackendStorage } from '../../../src/storage/backend-storage.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { createManualClock, type ManualClock } from '../../support/manual-clock.js';
import { createRecordMaker } from '../../support/records.js';
import { liveEventfully } from '../../support/sink/eventful-life.js';
import { createFaultyStorage, type FaultyStorage } from '../../support/sink/faulty-storage.js';
import { metricOf } from '../../support/sink/sink-tiers.js';

describe('shadow reads', () => {
  let clock: ManualClock;
  let common: Common;
  let live: FaultyStorage;
  let shadow: FaultyStorage;
  let stored: NewMessage[];
  const make = createRecordMaker(5);
  const closing: { close(): Promise<void> }[] = [];
  beforeEach(async () => {
    clock = createManualClock();
    common = createCommon({ clock });
    [live, shadow] = [open('live'), open('shadow')];
    stored = await liveEventfully(live.storage, make, 4);
    await follow();
  });
  afterEach(async () => {
    for (const each of closing.splice(0)) await each.close();
  });

  function open(name: string): FaultyStorage {
    const storage = createMemoryStorage({ name, common, maxStalenessMs: 1e9 });
    closing.unshift(storage);
    return createFaultyStorage<BackendStorage>(storage);
  }
  async function follow(alter: (set: ChangeSet) => ChangeSet = (set) => set): Promise<void> {
    const { throughPosition } = shadow.storage.coverage();
    await shadow.storage.apply(alter(await live.storage.changesAfter(throughPosition, 100_000)));
  }
  function reads(options: Partial<ShadowReadOptions<Storage>> = {}) {
    const made = createShadowReads<Storage>({
      ...{ live: live.storage, shadow: shadow.storage, share: () => 1, common, mostUnderWay: 100 },
      ...options,
    });
    closing.unshift(made);
    return made;
  }
  async function askEverything(storage: Storage): Promise<void> {
    await storage.queryMessages({ limit: 3 });
    await storage.queryCCVData({ limit: 2, maxBytes: 1 });
    await storage.countMessages({});
    await storage.countCCVData({ startMs: 5 });
    for (const { messageId } of stored) {
      await storage.getMessage(messageId);
      await storage.getCCVData(messageId).catch(() => 'none');
    }
    await storage.getMessage(make.hex(32)).catch(() => 'none');
  }

  it('compare lists, counts and lookups with the answers of a store that holds the same', async () => {
    const { storage, figures } = reads();
    await askEverything(storage);
    await clock.settle();
    const asked = 4 + 2 * stored.length + 1;
    expect(figures()).toMatchObject({ outcomes: { same: asked, different: 0, failed: 0 }, differences: [] });
    expect(figures().live.answers).toBe(asked);
    expect(shadow.calls('getMessage')).toBe(stored.length + 1);
    const labels = { operation: 'getMessage', outcome: 'same' };
    expect(await metricOf(common, 'indexer_migration_shadow_reads_total', labels)).toBe(stored.length + 1);
  });

  it('record a query that is answered otherwise, with the first record that differs', async () => {
    const hurt = stored[3]!.messageId;
    shadow = open('hurt');
    await follow((set) => ({
      ...set,
      changes: set.changes.map((change) =>
        change.kind === 'message' && change.record.messageId === hurt
          ? { ...change, record: { ...change.record, status: 'timeout' } }
          : change,
      ),
    }));
    const { storage, figures } = reads();
    const { items } = await storage.queryMessages({});
    await storage.getMessage(stored[4]!.messageId);
    await clock.settle();
    const { outcomes, differences } = figures();
    expect(outcomes).toMatchObject({ same: 1, different: 1 });
    expect(differences).toMatchObject([
      {
        operation: 'queryMessages',
        query: '[{}]',
        askedMs: clock.nowMs(),
        first: {
          index: items.findIndex(({ messageId }) => messageId === hurt),
          live: { messageId: hurt },
          shadow: { messageId: hurt },
        },
      },
    ]);
  });

  it('see a record that is missing, a count that is another, and a page that ends elsewhere', async () => {
    const lost = stored.at(-1)!.messageId;
    shadow = open('hurt');
    const isLost = (record: object) => 'messageId' in record && record.messageId === lost;
    await follow((set) => ({ ...set, changes: set.changes.filter(({ record }) => !isLost(record)) }));
    const { storage, figures } = reads();
    await storage.countMessages({});
    await storage.getMessage(lost);
    const all = (await live.storage.queryMessages({})).items.length;
    await storage.queryMessages({ limit: all - 1 });
    await clock.settle();
    const found = figures().differences.map(({ operation, first }) => [operation, first.index, first.rest]);
    expect(found.sort()).toEqual([
      ['countMessages', null, { live: `count ${all}`, shadow: `count ${all - 1}` }],
      ['getMessage', 0, { live: '', shadow: 'MESSAGE_NOT_FOUND' }],
      ['queryMessages', null, { live: expect.stringMatching(/^next ./), shadow: 'next null' }],
    ]);
  });

  it('wait until the store holds what the live answer shows, and count it when it does not in time', async () => {
    await live.storage.insertBatch({ messages: [make.message()] });
    const { storage, figures } = reads({ patienceMs: 1_000 });
    await storage.queryMessages({});
    await clock.advance(500);
    expect(figures().outcomes).toMatchObject({ same: 0, behind: 0 });
    await follow();
    await clock.advance(100);
    expect(figures().outcomes).toMatchObject({ same: 1 });
    await live.storage.insertBatch({ messages: [make.message()] });
    await storage.countMessages({});
    await clock.advance(1_100);
    expect(figures().outcomes).toMatchObject({ same: 1, behind: 1, different: 0 });
  });

  it('tell an answer that was overtaken from one that differs', async () => {
    const { storage, figures } = reads();
    let writes = 1;
    // the store is asked when it holds more than the live answer shows
    shadow.before('queryMessages', async () => {
      if (writes-- <= 0) return;
      await live.storage.insertBatch({ messages: [make.message()] });
      await follow();
    });
    await storage.queryMessages({});
    await clock.settle();
    expect(figures().outcomes).toMatchObject({ same: 1, different: 0, overtaken: 0 });
    writes = 1_000;
    await storage.queryMessages({});
    await clock.settle();
    expect(figures().outcomes).toMatchObject({ same: 1, different: 0, overtaken: 1 });
    // each time it was asked again
    expect(live.calls('queryMessages')).toBe(1 + 1 + 1 + 3);
  });

  it('wait for a live storage that is behind the store, as a memory may be', async () => {
    const memory = createMemoryStorage({ name: 'memory', common, maxStalenessMs: 1e9 });
    closing.unshift(memory);
    const catchUp = async () =>
      await memory.apply(await live.storage.changesAfter(memory.coverage().throughPosition, 100_000));
    await catchUp();
    await live.storage.insertBatch({ messages: [make.message()] });
    await follow();
    const { storage, figures } = reads({ live: memory });
    await storage.countMessages({});
    await clock.advance(1_000);
    expect(figures().outcomes).toMatchObject({ same: 0, different: 0, overtaken: 0 });
    await catchUp();
    await clock.advance(1_000);
    expect(figures().outcomes).toMatchObject({ same: 1, different: 0, overtaken: 0 });
  });

  it('are not misled by a record that came and left again', async () => {
    const { storage, figures } = reads();
    const visitor = make.message();
    let isThere = false;
    shadow.before('countMessages', async () => {
      if (isThere) return;
      isThere = true;
      await live.storage.insertBatch({ messages: [visitor] });
      await follow();
    });
    // asked before the live query is asked again
    live.before('count', async () => {
      const { messageId, origin } = visitor;
      await live.storage.insertBatch({ orphanings: [{ messageId, blockHash: origin!.blockHash }] });
      await follow();
    });
    await storage.countMessages({});
    await clock.settle();
    expect(isThere).toBe(true);
    expect(figures().outcomes).toMatchObject({ same: 1, different: 0, overtaken: 0 });
  });

  it('never hold up or fail a live query', async () => {
    const held = shadow.hold('getMessage');
    const { storage, figures } = reads({ mostUnderWay: 2 });
    for (const { messageId } of stored.slice(0, 5)) await storage.getMessage(messageId);
    expect(figures().outcomes).toMatchObject({ dropped: 3, same: 0 });
    held();
    await clock.settle();
    expect(figures().outcomes).toMatchObject({ dropped: 3, same: 2 });
    shadow.fail();
    expect((await storage.queryMessages({})).items.length).toBeGreaterThan(0);
    await clock.settle();
    expect(figures()).toMatchObject({ outcomes: { failed: 1 }, lastError: expect.stringContaining('injected') });
    live.fail(['getMessage']);
    await expect(storage.getMessage(stored[0]!.messageId)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    await clock.settle();
    expect(figures().outcomes).toMatchObject({ failed: 1 });
  });

  it('are a share of the live queries, as it is at that moment', async () => {
    let share = 0.25;
    const random = make.random;
    const { storage, figures } = reads({ common: { ...common, random }, share: () => share });
    for (let i = 0; i < 400; i += 1) await storage.getMessage(stored[0]!.messageId);
    await clock.settle();
    const { same } = figures().outcomes;
    expect(same).toBeGreaterThan(60);
    expect(same).toBeLessThan(140);
    share = 0;
    for (let i = 0; i < 100; i += 1) await storage.getMessage(stored[0]!.messageId);
    await clock.settle();
    expect(figures().outcomes.same).toBe(same);
  });

  it('end with the process: what waits is given up, and nothing is asked any more', async () => {
    await live.storage.insertBatch({ messages: [make.message()] });
    const { storage, figures, close } = reads();
    await storage.queryMessages({});
    await close();
    expect(clock.pending).toBe(0);
    await storage.queryMessages({});
    await clock.settle();
    expect(figures().outcomes).toEqual({ same: 0, different: 0, overtaken: 0, behind: 0, failed: 0, dropped: 0 });
    expect(storage.name).toBe('live');
    expect(storage.coverage()).toEqual(live.storage.coverage());
  });
});
