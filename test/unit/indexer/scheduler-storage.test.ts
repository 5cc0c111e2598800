import { describe, expect, it } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import { StorageFailureError, StorageUnavailableError } from '../../../src/model/storage-errors.js';
import type { NewMessage, VerifierResult } from '../../../src/protocol/records.js';
import type { AdvanceListener, Storage } from '../../../src/storage/storage.js';
import { A, B, HOUR_MS, insert, schedulerFixture, status } from '../../support/indexer/scheduler-fixture.js';

const { clock, make, memory, message, reader, schedule } = schedulerFixture();

/** The results that a verifier gives for these messages, by id. */
function resultsOf(messages: readonly NewMessage[], ccv?: number): (id: Hex) => VerifierResult {
  const byId = new Map(messages.map((each) => [each.messageId, each]));
  return (id) => make.result(byId.get(id)!, ccv);
}

/** The storage, with some of its methods replaced. */
function faulty(storage: Storage, faults: Partial<Storage>): Storage {
  return new Proxy(storage, {
    get(target, key) {
      const fault = Reflect.get(faults, key);
      if (fault !== undefined) return fault;
      const value = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe('a restart', () => {
  it('resumes what was unfinished, timed-out messages too, and asks nobody for what is stored', async () => {
    const storage = memory();
    const pending = message();
    const half = message(A, B);
    const late = message();
    const done = message();
    const complete = message();
    await insert(storage, pending, half, late, done, complete);
    await storage.insertBatch({
      verifierResults: [make.result(half, 0), make.result(done), make.result(complete)],
      statuses: [
        { messageId: late.messageId, status: 'timeout' },
        { messageId: done.messageId, status: 'success' },
      ],
    });
    const all = [pending, half, late, done, complete];
    const a = reader('a', A, resultsOf(all, 0));
    const b = reader('b', B, resultsOf(all, 1));
    schedule(storage, [a, b], { hydrationBatchSize: 2 });
    await clock.advance(1_000);
    for (const each of all) expect(await status(storage, each)).toBe('success');
    expect(a.asked.map(({ messageId }) => messageId).sort()).toEqual([pending.messageId, late.messageId].sort());
    expect(b.asked.map(({ messageId }) => messageId)).toEqual([half.messageId]);
  });

  it('loses no message that is stored while it starts', async () => {
    const storage = memory();
    const messages = Array.from({ length: 60 }, () => message());
    const a = reader('a', A, resultsOf(messages));
    await insert(storage, ...messages.slice(0, 20));
    schedule(storage, [a], { hydrationBatchSize: 3 });
    for (const each of messages.slice(20)) {
      await insert(storage, each);
      await Promise.resolve();
    }
    await clock.advance(1_000);
    for (const each of messages) expect(await status(storage, each)).toBe('success');
  });

  it('ends what was under way', async () => {
    const storage = memory();
    const sent = message();
    const a = reader('a', A, () => 'hang');
    const { halt, scheduler } = schedule(storage, [a]);
    await clock.settle();
    await insert(storage, sent);
    await clock.settle();
    expect(scheduler.status().tasks.running).toBe(1);
    await halt();
    expect(a.aborted).toEqual([sent.messageId]);
    expect(scheduler.status().tasks).toEqual({ ready: 0, running: 0, waiting: 0 });
    expect(await status(storage, sent)).toBe('processing');
  });
});

describe('a reorg', () => {
  it('ends the task of an orphaned message, and begins another when it returns', async () => {
    const storage = memory();
    const sent = message();
    const a = reader('a', A);
    const { scheduler } = schedule(storage, [a]);
    await clock.settle();
    await insert(storage, sent);
    await clock.advance(1_500);
    await storage.insertBatch({ orphanings: [{ messageId: sent.messageId, blockHash: sent.origin!.blockHash }] });
    expect(scheduler.status().tasks.waiting).toBe(0);
    const asked = a.asked.length;
    await clock.advance(60_000);
    expect(a.asked).toHaveLength(asked);
    await insert(storage, { ...sent, origin: make.origin(99n) });
    a.answer = () => make.result(sent);
    await clock.advance(1_000);
    expect(await status(storage, sent)).toBe('success');
  });

  it('stops the attempt under way', async () => {
    const storage = memory();
    const sent = message();
    const a = reader('a', A, () => 'hang');
    schedule(storage, [a]);
    await clock.settle();
    await insert(storage, sent);
    await clock.settle();
    await storage.insertBatch({ orphanings: [{ messageId: sent.messageId, blockHash: sent.origin!.blockHash }] });
    await clock.settle();
    expect(a.aborted).toEqual([sent.messageId]);
  });
});

describe('more messages than MaxHeapSize', () => {
  it('are all asked for in turn, and none is forgotten', async () => {
    const storage = memory();
    const old = Array.from({ length: 57 }, () => message());
    await insert(storage, ...old);
    const fresh = Array.from({ length: 30 }, () => message());
    const all = [...old, ...fresh];
    const results = resultsOf(all);
    let open = false;
    const a = reader('a', A, (id) => (open ? results(id) : null));
    const { scheduler } = schedule(storage, [a], { maxHeapSize: 10, concurrentWorkers: 4, hydrationBatchSize: 7 });
    await clock.advance(5_000);
    expect(scheduler.status().overflowed).toBe(true);
    await insert(storage, ...fresh);
    const counts = scheduler.status().tasks;
    expect(counts.ready + counts.running + counts.waiting).toBeLessThanOrEqual(10);
    await clock.advance(3 * 60_000);
    expect(new Set(a.asked.map(({ messageId }) => messageId)).size).toBe(all.length);
    open = true;
    await clock.advance(5 * 60_000);
    for (const each of all) expect(await status(storage, each)).toBe('success');
    expect(scheduler.status().overflowed).toBe(false);
  });

  it('time out in time, and timed-out ones leave their place to new ones', async () => {
    const storage = memory();
    const old = Array.from({ length: 25 }, () => message());
    await insert(storage, ...old);
    const a = reader('a', A);
    const { scheduler } = schedule(storage, [a], {
      tickerIntervalMs: 1_000,
      maxHeapSize: 10,
      visibilityWindowMs: 5 * 60_000,
      timedOutRetryMs: HOUR_MS,
    });
    await clock.advance(8 * 60_000);
    for (const each of old) expect(await status(storage, each)).toBe('timeout');
    const sent = message();
    a.answer = (id) => (id === sent.messageId ? make.result(sent) : null);
    await insert(storage, sent);
    await clock.settle();
    expect(await status(storage, sent)).toBe('success');
    expect(scheduler.status().overflowed).toBe(false);
    a.answer = resultsOf(old);
    await clock.advance(HOUR_MS + 60_000);
    for (const each of old) expect(await status(storage, each)).toBe('success');
  });
});

describe('a storage in trouble', () => {
  it('that cannot be written for a while loses nothing, and verifiers are left alone meanwhile', async () => {
    const storage = memory();
    const messages = Array.from({ length: 40 }, () => message());
    const a = reader('a', A, resultsOf(messages));
    let down = true;
    const faultyStorage = faulty(storage, {
      insertBatch: async (batch) => {
        if (down) throw new StorageUnavailableError('memory', 'insert');
        return storage.insertBatch(batch);
      },
    });
    schedule(faultyStorage, [a], { concurrentWorkers: 8 });
    await clock.settle();
    await insert(storage, ...messages);
    await clock.advance(60_000);
    expect(a.asked).toHaveLength(8);
    down = false;
    await clock.advance(10_000);
    for (const each of messages) expect(await status(storage, each)).toBe('success');
    expect(a.asked).toHaveLength(40);
  });

  it('that refuses one result for good takes those it came with', async () => {
    const storage = memory();
    const messages = Array.from({ length: 5 }, () => message());
    const poison = messages[2]!.messageId;
    const a = reader('a', A, resultsOf(messages));
    const faultyStorage = faulty(storage, {
      insertBatch: async (batch) => {
        if (batch.verifierResults?.some(({ messageId }) => messageId === poison))
          throw new StorageFailureError('memory', 'insert');
        return storage.insertBatch(batch);
      },
    });
    schedule(faultyStorage, [a]);
    await clock.settle();
    await insert(storage, ...messages);
    await clock.advance(500);
    for (const each of messages)
      expect(await status(storage, each)).toBe(each.messageId === poison ? 'processing' : 'success');
  });

  it('that cannot be read at the start is waited for', async () => {
    const storage = memory();
    const sent = message();
    await insert(storage, sent);
    let down = true;
    const faultyStorage = faulty(storage, {
      queryUnfinishedMessages: async (query) => {
        if (down) throw new StorageUnavailableError('memory', 'query');
        return storage.queryUnfinishedMessages(query);
      },
    });
    schedule(faultyStorage, [reader('a', A, () => make.result(sent))]);
    await clock.advance(20_000);
    down = false;
    await clock.advance(20_000);
    expect(await status(storage, sent)).toBe('success');
  });

  it('whose commits are made by another process is followed by position', async () => {
    const storage = memory();
    const messages = Array.from({ length: 7 }, () => message(A, B));
    const listeners = new Set<AdvanceListener>();
    let failures = 2;
    const elsewhere = faulty(storage, {
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      changesAfter: async (position) => {
        if (failures-- > 0) throw new StorageUnavailableError('memory', 'read changes');
        return storage.changesAfter(position, 3);
      },
    });
    const a = reader('a', A, resultsOf(messages, 0));
    const b = reader('b', B);
    schedule(elsewhere, [a, b]);
    await clock.settle();
    await insert(storage, ...messages);
    const tell = () => {
      for (const listener of listeners)
        listener({ kind: 'advanced', throughPosition: storage.coverage().throughPosition });
    };
    tell();
    await clock.advance(20_000);
    expect(new Set(a.asked.map(({ messageId }) => messageId)).size).toBe(7);
    // another process stores what b says
    await storage.insertBatch({ verifierResults: messages.map((each): VerifierResult => make.result(each, 1)) });
    tell();
    await clock.advance(1_000);
    for (const each of messages) expect(await status(storage, each)).toBe('success');
  });
});
