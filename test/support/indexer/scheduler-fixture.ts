import { afterEach, expect } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import {
  createScheduler,
  type Scheduler,
  type SchedulerOptions,
  type SchedulerSettings,
} from '../../../src/indexer/scheduler.js';
import type { Change } from '../../../src/model/batch.js';
import type { NewMessage } from '../../../src/protocol/records.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { createVerifierRegistry } from '../../../src/verifiers/registry.js';
import { VerifierResultRejectedError } from '../../../src/verifiers/verifier-errors.js';
import type { VerifierReader } from '../../../src/verifiers/verifier-reader.js';
import { createManualClock, type ManualClock } from '../manual-clock.js';
import { createRecordMaker, type RecordMaker } from '../records.js';
import { createScriptedReader, type Script, type ScriptedReader } from './scripted-reader.js';

export const A: Hex = `0x${'aa'.repeat(20)}`;
export const B: Hex = `0x${'bb'.repeat(20)}`;
export const HOUR_MS = 3_600_000;

type Settings = Partial<SchedulerSettings & Pick<SchedulerOptions, 'share'>>;

/** A scheduler that runs. */
export interface ScheduledRun {
  readonly scheduler: Scheduler;
  halt(): Promise<void>;
  metric(name: string): Promise<readonly { readonly value: number; readonly labels: object }[] | undefined>;
}

/** Schedulers, storages and readers on one clock that only the test moves. */
export interface SchedulerFixture {
  readonly clock: ManualClock;
  readonly make: RecordMaker;
  memory(): Storage;
  reader(name: string, issuer: Hex, answer?: (id: Hex) => Script): ScriptedReader;
  schedule(storage: Storage, readers: readonly VerifierReader[], settings?: Settings): ScheduledRun;
  /** One with these CCVs; without any, with `A`. */
  message(...ccvs: readonly Hex[]): NewMessage;
}

/** What runs is halted after each test, and must leave no timer. */
export function schedulerFixture(): SchedulerFixture {
  const make = createRecordMaker(11);
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
  return {
    clock,
    make,
    memory() {
      const storage = createMemoryStorage({ name: 'memory', common: { clock } });
      storages.push(storage);
      return storage;
    },
    reader: (name, issuer, answer) =>
      createScriptedReader({
        name,
        issuerAddresses: [issuer],
        nowMs: clock.monotonicMs,
        ...(answer ? { answer } : {}),
      }),
    schedule(storage, readers, settings = {}) {
      const common = createCommon({ clock, random: () => 1 });
      const scheduler = createScheduler({
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
      return {
        scheduler,
        async halt() {
          stop.abort();
          await end;
        },
        metric: async (name) =>
          (await common.metrics.getSingleMetric(name)?.get())?.values.map(({ value, labels }) => ({ value, labels })),
      };
    },
    message: (...ccvs) => make.message({ ccvs: ccvs.length > 0 ? ccvs : [A] }),
  };
}

export const status = async (storage: Storage, { messageId }: NewMessage) =>
  (await storage.getMessage(messageId)).status;

export const insert = (storage: Storage, ...messages: readonly NewMessage[]) => storage.insertBatch({ messages });

/** Whatever is committed from here on, a list for each commit. */
export function changesOf(storage: Storage): Change[][] {
  const sets: Change[][] = [];
  storage.subscribe((event) => {
    if (event.kind === 'committed') sets.push([...event.changes.changes]);
  });
  return sets;
}

/** What a reader says of a result that fails a check. */
export function rejected(messageId: Hex, verifier = 'a'): VerifierResultRejectedError {
  return new VerifierResultRejectedError({
    verifier,
    reason: 'source_not_of_reader',
    messageId,
    detail: 'bad \0 \ud800 detail',
    raw: Buffer.from('{"raw":1}'),
  });
}
