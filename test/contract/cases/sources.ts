import { expect, test } from 'vitest';
import { createRecordMaker } from '../../support/records.js';
import { fieldsOf, plain, type Use } from '../subject.js';

export function sourceCases(use: Use): void {
  const make = createRecordMaker(12);
  const SOURCE = 'chain:14767482510784806043';

  test('a cursor is null before its first move and then where it was moved', async () => {
    const { storage } = use();
    expect(await storage.getCursor(SOURCE)).toBeNull();
    expect(await storage.listCursors()).toEqual([]);
    const hash = make.hex(32);
    await storage.insertBatch({ cursors: [{ sourceId: SOURCE, height: 0n, hash, expectedHeight: null }] });
    expect(await storage.getCursor(SOURCE)).toMatchObject({ sourceId: SOURCE, height: 0n, hash });
    const height = 2n ** 63n - 1n;
    await storage.insertBatch({ cursors: [{ sourceId: SOURCE, height, hash: null, expectedHeight: 0n }] });
    expect(await storage.getCursor(SOURCE)).toMatchObject({ height, hash: null });
  });

  test('cursors are listed by source id', async () => {
    const { storage } = use();
    for (const sourceId of ['b', 'chain:2', 'B', 'a', 'ä'])
      await storage.insertBatch({ cursors: [{ sourceId, height: 1n, hash: null, expectedHeight: null }] });
    expect((await storage.listCursors()).map((cursor) => cursor.sourceId)).toEqual(['B', 'a', 'b', 'chain:2', 'ä']);
  });

  test('promise 1: a cursor moved by someone else in between is a conflict, and nothing of the batch is stored', async () => {
    const { storage } = use();
    const move = { sourceId: SOURCE, hash: null };
    await storage.insertBatch({ cursors: [{ ...move, height: 5n, expectedHeight: null }] });
    const quarantine = [quarantined('1')];
    for (const [height, expectedHeight] of [
      [9n, null],
      [9n, 4n],
      [4n, 5n],
    ] as const) {
      const refused = storage.insertBatch({
        messages: [make.message()],
        verifierResults: make.results(2),
        quarantine,
        cursors: [
          { sourceId: 'another', hash: null, height: 1n, expectedHeight: null },
          { ...move, height, expectedHeight },
        ],
      });
      await expect(refused).rejects.toMatchObject({ name: 'CursorConflictError', retryable: true });
    }
    await expect(
      storage.insertBatch({ cursors: [{ ...move, sourceId: 'new', height: 9n, expectedHeight: 3n }] }),
    ).rejects.toMatchObject({ name: 'CursorConflictError' });
    expect(await storage.getCursor(SOURCE)).toMatchObject({ height: 5n });
    expect(await storage.getCursor('another')).toBeNull();
    expect((await storage.countCCVData({})).count).toBe(0);
    expect((await storage.countMessages({})).count).toBe(0);
    expect(await storage.queryQuarantine({ afterPosition: 0n, limit: 10 })).toEqual([]);
    expect((await storage.changesAfter(0n)).headPosition).toBe(1n);
  });

  test('promise 1: nothing of a batch is stored under a lease that does not stand', async () => {
    const { storage } = use();
    const refused = storage.insertBatch({
      lease: { source: SOURCE, owner: 'a member that left', epoch: 1n },
      messages: [make.message()],
      verifierResults: make.results(2),
      quarantine: [quarantined('1')],
      cursors: [{ sourceId: SOURCE, hash: null, height: 1n, expectedHeight: null }],
    });
    await expect(refused).rejects.toMatchObject({ name: 'LeaseLostError', code: 'LEASE_LOST', retryable: false });
    expect(await storage.getCursor(SOURCE)).toBeNull();
    expect((await storage.changesAfter(0n)).headPosition).toBe(0n);
  });

  test('a cursor that a person sets back falls, with what goes with it, and is compared all the same', async () => {
    const { storage } = use();
    const [low, high] = [make.hex(32), make.hex(32)];
    const message = make.message();
    await storage.insertBatch({
      messages: [message],
      cursors: [{ sourceId: SOURCE, height: 9n, hash: high, expectedHeight: null }],
    });
    const back = { sourceId: SOURCE, height: 4n, hash: low, setBack: true };
    await expect(storage.insertBatch({ cursors: [{ ...back, expectedHeight: 8n }] })).rejects.toMatchObject({
      name: 'CursorConflictError',
    });
    expect(await storage.getCursor(SOURCE)).toMatchObject({ height: 9n, hash: high });
    const orphanings = [{ messageId: message.messageId, blockHash: message.origin!.blockHash }];
    const outcome = await storage.insertBatch({ orphanings, cursors: [{ ...back, expectedHeight: 9n }] });
    expect(outcome.committed).not.toBeNull();
    expect(await storage.getCursor(SOURCE)).toMatchObject({ height: 4n, hash: low });
    expect(await storage.getMessage(message.messageId)).toMatchObject({ orphaned: true });
    const { changes } = await storage.changesAfter(0n);
    expect(changes.filter(({ kind }) => kind === 'cursor').map(({ record }) => record)).toEqual([
      expect.objectContaining({ height: 4n, hash: low }),
    ]);
    // a watcher that has not seen it cannot go on, one that has can
    await expect(
      storage.insertBatch({ cursors: [{ sourceId: SOURCE, height: 10n, hash: high, expectedHeight: 9n }] }),
    ).rejects.toMatchObject({ name: 'CursorConflictError' });
    await storage.insertBatch({
      messages: [message],
      cursors: [{ sourceId: SOURCE, height: 10n, hash: high, expectedHeight: 4n }],
    });
    expect(await storage.getCursor(SOURCE)).toMatchObject({ height: 10n, hash: high });
    expect(await storage.getMessage(message.messageId)).toMatchObject({ orphaned: false });
  });

  test('a cursor that one batch moves and sets back to where it was is one change, and a neighbour is answered', async () => {
    const { storage } = use();
    await storage.insertBatch({ cursors: [{ sourceId: SOURCE, height: 5n, hash: null, expectedHeight: null }] });
    const back = [
      { sourceId: SOURCE, height: 9n, hash: null, expectedHeight: 5n },
      { sourceId: SOURCE, height: 5n, hash: null, expectedHeight: 9n, setBack: true },
    ];
    const refused = { sourceId: SOURCE, height: 10n, hash: null, expectedHeight: 9n };
    const [moved, neighbour] = await Promise.allSettled([
      storage.insertBatch({ cursors: back }),
      storage.insertBatch({ cursors: [refused] }),
    ]);
    expect(moved).toMatchObject({ value: { committed: { throughPosition: 2n } } });
    expect(neighbour).toMatchObject({ reason: { name: 'CursorConflictError' } });
    const { changes, throughPosition } = await storage.changesAfter(0n);
    expect(changes).toMatchObject([{ kind: 'cursor', position: 2n, record: { height: 5n, hash: null } }]);
    expect(throughPosition).toBe(2n);
  });

  test('of movers that race from the same height one wins, and only its records are stored', async () => {
    const { storage } = use();
    await storage.insertBatch({ cursors: [{ sourceId: SOURCE, height: 5n, hash: null, expectedHeight: null }] });
    const racers = Array.from({ length: 6 }, (_, i) => ({ height: BigInt(10 + i), messages: [make.message()] }));
    const outcomes = await Promise.allSettled(
      racers.map(({ height, messages }) =>
        storage.insertBatch({
          messages,
          cursors: [{ sourceId: SOURCE, hash: null, height, expectedHeight: 5n }],
        }),
      ),
    );
    const winner = outcomes.findIndex((outcome) => outcome.status === 'fulfilled');
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ name: 'CursorConflictError' });
    expect(await storage.getCursor(SOURCE)).toMatchObject({ height: racers[winner]!.height });
    expect((await storage.queryMessages({})).items.map((message) => message.messageId)).toEqual([
      racers[winner]!.messages[0]!.messageId,
    ]);
  });

  test('a cursor moves with its records and takes a position; staying where it is changes nothing', async () => {
    const { storage } = use();
    const cursor = { sourceId: SOURCE, height: 5n, hash: make.hex(32) };
    const outcome = await storage.insertBatch({
      verifierResults: make.results(1),
      cursors: [{ ...cursor, expectedHeight: null }],
    });
    expect(outcome.committed?.throughPosition).toBe(2n);
    const { changes } = await storage.changesAfter(0n);
    expect(changes.map((change) => change.kind)).toEqual(['verifierResult', 'cursor']);
    expect(changes[1]!.record).toEqual({ ...cursor, position: 2n });
    expect((await storage.insertBatch({ cursors: [{ ...cursor, expectedHeight: 5n }] })).committed).toBeNull();
  });

  test('two moves of one cursor in a batch apply one after the other and take one position', async () => {
    const { storage } = use();
    const move = { sourceId: SOURCE, hash: null };
    const outcome = await storage.insertBatch({
      cursors: [
        { ...move, height: 5n, expectedHeight: null },
        { ...move, height: 6n, expectedHeight: 5n },
      ],
    });
    expect(outcome.committed?.throughPosition).toBe(1n);
    expect(await storage.getCursor(SOURCE)).toMatchObject({ height: 6n });
  });

  test('promise 10: quarantined input is kept once by source and key, in order, with its bytes', async () => {
    const { storage } = use();
    const entries = ['a', 'b', 'c'].map(quarantined);
    const outcome = await storage.insertBatch({ quarantine: [entries[0]!, entries[1]!, entries[0]!] });
    expect(outcome.committed?.throughPosition).toBe(2n);
    const again = { ...entries[0]!, reason: 'OTHER', raw: make.bytes(3) };
    expect((await storage.insertBatch({ quarantine: [again] })).committed).toBeNull();
    const elsewhere = { ...entries[0]!, sourceId: 'chain:2', messageId: null };
    await storage.insertBatch({ quarantine: [elsewhere, entries[2]!] });
    const stored = await storage.queryQuarantine({ afterPosition: 0n, limit: 10 });
    expect(stored.map((entry) => entry.position)).toEqual([1n, 2n, 3n, 4n]);
    expect(stored.map((entry, i) => fieldsOf(entry, [entries[0]!, entries[1]!, elsewhere, entries[2]!][i]!))).toEqual(
      plain([entries[0], entries[1], elsewhere, entries[2]]),
    );
    expect(stored[0]!.ingestionMs).toBe(outcome.committed?.ingestionMs);
    const page = await storage.queryQuarantine({ afterPosition: 1n, limit: 2 });
    expect(page.map((entry) => entry.position)).toEqual([2n, 3n]);
  });

  function quarantined(key: string) {
    return {
      sourceId: SOURCE,
      key,
      reason: 'MESSAGE_DECODE',
      detail: `expected a message, found ${key} ☃`,
      raw: make.bytes(50),
      messageId: make.hex(32),
    };
  }
}
