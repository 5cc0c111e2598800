import { afterEach, describe, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { createScheduler, type Scheduler, type SchedulerSettings } from '../../../src/indexer/scheduler.js';
import type { NewMessage, VerifierResult } from '../../../src/protocol/records.js';
import type { Change } from '../../../src/storage/batch.js';
import { StorageFailureError, StorageUnavailableError } from '../../../src/storage/errors.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { AdvanceListener, Storage } from '../../../src/storage/storage.js';
import { VerifierResultRejectedError, VerifierUnavailableError } from '../../../src/verifiers/errors.js';
import { createVerifierRegistry } from '../../../src/verifiers/registry.js';
import type { VerifierReader } from '../../../src/verifiers/verifier-reader.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createRecordMaker } from '../../support/records.js';
import { createScriptedReader, type Script } from '../../support/scripted-reader.js';

const make = createRecordMaker(11);
const A: Hex = `0x${'aa'.repeat(20)}`;
const B: Hex = `0x${'bb'.repeat(20)}`;
const HOUR_MS = 3_600_000;
const clock = createManualClock();
const running: { stop: AbortController; end: Promise<void> }[] = [];
const storages: Storage[] = [];

afterEach(async () => {
  for (const { stop, end } of running.splice(0)) {
    stop.abort();
    await end;
  }
  for (const storage of storages.splice(0)) await storage.close();
  await clock.settle();
  expect(clock.pending).toBe(0);
});

function memory(): Storage {
  const storage = createMemoryStorage({ name: 'memory', common: { clock } });
  storages.push(storage);
  return storage;
}

const reader = (name: string, issuer: Hex, answer?: (id: Hex) => Script) =>
  createScriptedReader({ name, issuerAddresses: [issuer], nowMs: clock.monotonicMs, ...(answer ? { answer } : {}) });

function schedule(storage: Storage, readers: readonly VerifierReader[], settings: Partial<SchedulerSettings> = {}) {
  const common = createCommon({ clock, random: () => 1 });
  const scheduler: Scheduler = createScheduler({
    storage,
    registry: createVerifierRegistry(readers),
    tickerIntervalMs: 50,
    baseDelayMs: 1_000,
    maxDelayMs: 60_000,
    visibilityWindowMs: HOUR_MS,
    maxHeapSize: 1_000,
    concurrentWorkers: 10,
    workerTimeoutMs: 10_000,
    hydrationBatchSize: 100,
    common,
    ...settings,
  });
  const stop = new AbortController();
  const end = scheduler.run(stop.signal);
  running.push({ stop, end });
  const metric = async (name: string) =>
    (await common.metrics.getSingleMetric(name)?.get())?.values.map(({ value, labels }) => ({ value, labels }));
  const halt = async () => {
    stop.abort();
    await end;
  };
  return { scheduler, halt, metric };
}

const message = (...ccvs: readonly Hex[]): NewMessage => make.message({ ccvs: ccvs.length > 0 ? ccvs : [A] });
const status = async (storage: Storage, { messageId }: NewMessage) => (await storage.getMessage(messageId)).status;
const insert = (storage: Storage, ...messages: readonly NewMessage[]) => storage.insertBatch({ messages });

function changesOf(storage: Storage): Change[][] {
  const sets: Change[][] = [];
  storage.subscribe((event) => {
    if (event.kind === 'committed') sets.push([...event.changes.changes]);
  });
  return sets;
}

function rejected(messageId: Hex, verifier = 'a'): VerifierResultRejectedError {
  return new VerifierResultRejectedError({
    verifier,
    reason: 'source_not_of_reader',
    messageId,
    detail: 'bad \0 \ud800 detail',
    raw: Buffer.from('{"raw":1}'),
  });
}

describe('a new message', () => {
  it('is asked for at once, and success is stored together with its last result', async () => {
    const storage = memory();
    const sent = message(A, B);
    const a = reader('a', A, () => make.result(sent, 0));
    const b = reader('b', B, () => make.result(sent, 1));
    schedule(storage, [a, b]);
    await clock.settle();
    const sets = changesOf(storage);
    await insert(storage, sent);
    await clock.settle();
    expect(await status(storage, sent)).toBe('success');
    expect(await storage.getCCVData(sent.messageId)).toHaveLength(2);
    const last = sets.at(-1) ?? [];
    expect(last.some(({ kind }) => kind === 'verifierResult')).toBe(true);
    expect(last.some((change) => change.kind === 'message' && change.record.status === 'success')).toBe(true);
    expect(a.asked).toHaveLength(1);
    expect(b.asked).toHaveLength(1);
  });

  it('is asked for again after delays that double up to the longest', async () => {
    const storage = memory();
    const a = reader('a', A);
    schedule(storage, [a], { maxDelayMs: 8_000 });
    await clock.settle();
    const startMs = clock.monotonicMs();
    await insert(storage, message());
    await clock.advance(40_000);
    const seconds = a.asked.map(({ atMs }) => Math.round((atMs - startMs) / 1_000));
    expect(seconds).toEqual([0, 1, 3, 7, 15, 23, 31, 39]);
  });

  it('keeps what one CCV answered while another does not, and asks the other only', async () => {
    const storage = memory();
    const sent = message(A, B);
    const a = reader('a', A, () => make.result(sent, 0));
    const b = reader('b', B);
    schedule(storage, [a, b]);
    await clock.settle();
    await insert(storage, sent);
    await clock.advance(3_500);
    expect(await status(storage, sent)).toBe('processing');
    expect(a.asked).toHaveLength(1);
    expect(b.asked).toHaveLength(3);
    b.answer = () => make.result(sent, 1);
    await clock.advance(4_000);
    expect(await status(storage, sent)).toBe('success');
  });

  it('with a CCV without reader succeeds with the others, and the CCV is reported', async () => {
    const storage = memory();
    const sent = message(A, B);
    const a = reader('a', A, () => make.result(sent, 0));
    const { scheduler, metric } = schedule(storage, [a]);
    await clock.settle();
    await insert(storage, sent);
    await clock.settle();
    expect(await status(storage, sent)).toBe('success');
    expect(scheduler.status().unknownCCVs).toMatchObject({
      addresses: [{ address: B, messages: 1 }],
      unverifiableMessages: 0,
    });
    expect(await metric('indexer_unknown_ccv_addresses')).toEqual([{ value: 1, labels: {} }]);
  });

  it('without any CCV that has a reader never succeeds: it times out and stays listed', async () => {
    const storage = memory();
    const sent = message(B);
    const { scheduler, halt } = schedule(storage, [reader('a', A)], { tickerIntervalMs: 1_000 });
    await clock.settle();
    await insert(storage, sent);
    await clock.advance(HOUR_MS - 1_000);
    expect(await status(storage, sent)).toBe('processing');
    await clock.advance(2_000);
    expect(await status(storage, sent)).toBe('timeout');
    expect(scheduler.status()).toMatchObject({
      tasks: { ready: 0, running: 0, waiting: 0 },
      unknownCCVs: { unverifiableMessages: 1, unverifiableSample: [sent.messageId] },
    });
    await halt();
    const again = schedule(storage, [reader('a', A)], { tickerIntervalMs: 1_000 });
    await clock.settle();
    expect(again.scheduler.status().unknownCCVs.unverifiableMessages).toBe(1);
    expect(await status(storage, sent)).toBe('timeout');
  });
});

describe('several readers of one CCV', () => {
  it('are asked side by side: the first answer is enough, the others are told to stop', async () => {
    const storage = memory();
    const sent = message();
    const slow = reader('slow', A, () => 'hang');
    const fast = reader('fast', A, () => make.result(sent));
    schedule(storage, [slow, fast]);
    await clock.settle();
    await insert(storage, sent);
    await clock.settle();
    expect(await status(storage, sent)).toBe('success');
    expect(slow.aborted).toEqual([sent.messageId]);
  });

  it('stand in for each other when one is down or sends what fails a check', async () => {
    const storage = memory();
    const sent = message();
    const down = reader('down', A, () => new VerifierUnavailableError('down', 'network'));
    const bad = reader('bad', A, (id) => rejected(id, 'bad'));
    const good = reader('good', A, () => make.result(sent));
    schedule(storage, [down, bad, good]);
    await clock.settle();
    await insert(storage, sent);
    await clock.settle();
    expect(await status(storage, sent)).toBe('success');
    const quarantined = await storage.queryQuarantine({ afterPosition: 0n, limit: 10 });
    expect(quarantined).toMatchObject([
      { sourceId: 'verifier:bad', key: `${sent.messageId}:source_not_of_reader`, messageId: sent.messageId },
    ]);
    expect(Buffer.from(quarantined[0]!.raw).toString()).toBe('{"raw":1}');
  });
});

describe('a verifier in trouble', () => {
  it('that hangs holds an attempt no longer than the worker timeout', async () => {
    const storage = memory();
    const sent = message();
    const a = reader('a', A, () => 'hang');
    const { metric } = schedule(storage, [a], { workerTimeoutMs: 5_000 });
    await clock.settle();
    await insert(storage, sent);
    await clock.advance(5_500);
    expect(a.aborted).toHaveLength(1);
    expect(await metric('indexer_verification_attempts_total')).toEqual([
      { value: 1, labels: { outcome: 'unavailable' } },
    ]);
    a.answer = () => make.result(sent);
    await clock.advance(2_000);
    expect(await status(storage, sent)).toBe('success');
  });

  it('whose results fail a check is asked on, and the same failure is quarantined once', async () => {
    const storage = memory();
    const sent = message();
    const a = reader('a', A, (id) => rejected(id));
    schedule(storage, [a]);
    await clock.settle();
    const sets = changesOf(storage);
    await insert(storage, sent);
    await clock.advance(10_000);
    expect(a.asked.length).toBeGreaterThan(3);
    expect(sets.flat().filter(({ kind }) => kind === 'quarantine')).toHaveLength(1);
    a.answer = () => make.result(sent);
    await clock.advance(10_000);
    expect(await status(storage, sent)).toBe('success');
  });

  it('that sends strays fills the quarantine no faster than sixty a minute', async () => {
    const storage = memory();
    const a = reader('a', A);
    const { metric } = schedule(storage, [a]);
    await clock.settle();
    for (let i = 0; i < 100; i++) a.stray(rejected(make.hex(32)));
    await clock.settle();
    expect(await storage.queryQuarantine({ afterPosition: 0n, limit: 1_000 })).toHaveLength(60);
    expect(await metric('indexer_verifier_strays_dropped_total')).toEqual([{ value: 40, labels: { verifier: 'a' } }]);
  });
});

describe('a message that is not verified in time', () => {
  it('times out, is asked for at a slow rate, and is healed when the result comes', async () => {
    const storage = memory();
    const sent = message();
    const a = reader('a', A);
    schedule(storage, [a], {
      tickerIntervalMs: 1_000,
      timedOutRetryMs: HOUR_MS,
      visibilityWindowMs: 10 * 60_000,
    });
    await clock.settle();
    await insert(storage, sent);
    await clock.advance(10 * 60_000 - 1_000);
    expect(await status(storage, sent)).toBe('processing');
    await clock.advance(2_000);
    expect(await status(storage, sent)).toBe('timeout');
    const before = a.asked.length;
    await clock.advance(HOUR_MS);
    expect(a.asked.length - before).toBe(1);
    a.answer = () => make.result(sent);
    await clock.advance(HOUR_MS);
    expect(await status(storage, sent)).toBe('success');
    expect(a.asked.length - before).toBe(2);
    await clock.advance(2 * HOUR_MS);
    expect(a.asked.length - before).toBe(2);
  });
});

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
    const all = new Map([pending, half, late, done, complete].map((each) => [each.messageId, each]));
    const a = reader('a', A, (id) => make.result(all.get(id)!, 0));
    const b = reader('b', B, (id) => make.result(all.get(id)!, 1));
    schedule(storage, [a, b], { hydrationBatchSize: 2 });
    await clock.advance(1_000);
    for (const each of all.values()) expect(await status(storage, each)).toBe('success');
    expect(a.asked.map(({ messageId }) => messageId).sort()).toEqual([pending.messageId, late.messageId].sort());
    expect(b.asked.map(({ messageId }) => messageId)).toEqual([half.messageId]);
  });

  it('loses no message that is stored while it starts', async () => {
    const storage = memory();
    const messages = Array.from({ length: 60 }, () => message());
    const all = new Map(messages.map((each) => [each.messageId, each]));
    const a = reader('a', A, (id) => make.result(all.get(id)!));
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
    const all = new Map([...old, ...fresh].map((each) => [each.messageId, each]));
    let open = false;
    const a = reader('a', A, (id) => (open ? make.result(all.get(id)!) : null));
    const { scheduler } = schedule(storage, [a], { maxHeapSize: 10, concurrentWorkers: 4, hydrationBatchSize: 7 });
    await clock.advance(5_000);
    expect(scheduler.status().overflowed).toBe(true);
    await insert(storage, ...fresh);
    const counts = scheduler.status().tasks;
    expect(counts.ready + counts.running + counts.waiting).toBeLessThanOrEqual(10);
    await clock.advance(3 * 60_000);
    expect(new Set(a.asked.map(({ messageId }) => messageId)).size).toBe(all.size);
    open = true;
    await clock.advance(5 * 60_000);
    for (const each of all.values()) expect(await status(storage, each)).toBe('success');
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
    const healed = new Map(old.map((each) => [each.messageId, each]));
    a.answer = (id) => make.result(healed.get(id)!);
    await clock.advance(HOUR_MS + 60_000);
    for (const each of old) expect(await status(storage, each)).toBe('success');
  });
});

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

describe('a storage in trouble', () => {
  it('that cannot be written for a while loses nothing, and verifiers are left alone meanwhile', async () => {
    const storage = memory();
    const messages = Array.from({ length: 40 }, () => message());
    const all = new Map(messages.map((each) => [each.messageId, each]));
    const a = reader('a', A, (id) => make.result(all.get(id)!));
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
    const all = new Map(messages.map((each) => [each.messageId, each]));
    const poison = messages[2]!.messageId;
    const a = reader('a', A, (id) => make.result(all.get(id)!));
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
    const all = new Map(messages.map((each) => [each.messageId, each]));
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
    const a = reader('a', A, (id) => make.result(all.get(id)!, 0));
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
