import { afterEach, beforeEach } from 'vitest';
import type { ApiSettings } from '../../../src/api/api-settings.js';
import type { Common } from '../../../src/core/common.js';
import type { VerifierResult } from '../../../src/model/records.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { gate, partsOf, type RunningApi, startApi } from './api.js';

/** Query APIs over a storage in memory; both end after the test. */
export interface ApiFixture {
  readonly storage: Storage;
  /** `faults` take the place of what the storage answers. */
  start(settings?: Partial<ApiSettings>, faults?: Partial<Storage>, overrides?: Partial<Common>): Promise<RunningApi>;
  /** Queries that are held back. */
  heldQueries(): HeldQueries;
}

/** Queries that wait until they are let go. */
export interface HeldQueries extends Pick<Storage, 'queryCCVData' | 'queryMessages'> {
  /** Resolves when one of them was asked. */
  readonly asked: Promise<void>;
  release(): void;
}

/** `results`: what each test finds stored. */
export function apiFixture(results: () => readonly VerifierResult[]): ApiFixture {
  let storage: Storage;
  const running: RunningApi[] = [];
  beforeEach(async () => {
    storage = createMemoryStorage({ name: 'hot' });
    await storage.insertBatch({ verifierResults: results() });
  });
  afterEach(async () => {
    for (const api of running.splice(0)) await api.close();
    await storage.close();
  });
  return {
    get storage() {
      return storage;
    },
    async start(settings = {}, faults = {}, overrides = {}) {
      const faulty = { ...partsOf(storage), ...faults };
      const api = await startApi(faulty, settings, overrides);
      running.push(api);
      return api;
    },
    heldQueries() {
      const [asked, held] = [gate(), gate()];
      const hold = async <T>(query: () => Promise<T>): Promise<T> => {
        asked.open();
        await held.opened;
        return await query();
      };
      return {
        queryCCVData: (query) => hold(() => storage.queryCCVData(query)),
        queryMessages: (query) => hold(() => storage.queryMessages(query)),
        asked: asked.opened,
        release: held.open,
      };
    },
  };
}
