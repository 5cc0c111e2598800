import { expect, it } from 'vitest';
import { deleteAll } from '../../../scripts/bench/benches/object-places.js';
import { isWithin, measureReadCosts } from '../../../scripts/bench/benches/read-costs.js';
import { createSample } from '../../../scripts/bench/sample.js';
import { allObjects, fillCold, openReader, sizeOf } from '../../../scripts/bench/workload/cold-namespace.js';
import { createTestDirectoryStore } from '../../support/s3/object-store.js';
import { createCountingObjectStore } from '../../support/s3/request-counting.js';

const RECORDS = 4_000;

it('fills a namespace, weighs all of it and counts what its reads cost', async () => {
  const directory = await createTestDirectoryStore();
  const sample = createSample(RECORDS);
  const store = createCountingObjectStore(directory.store);
  try {
    const wish = { namespace: 'bench', what: 'test', records: RECORDS, payload: 'abi', flushBytes: 2 ** 22 } as const;
    await fillCold(store, { ...wish, sample });
    const objects = await allObjects(store, '');
    const size = sizeOf(objects);
    expect(size.dataFiles).toBe(2);
    expect(size.totalBytes).toBe(objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
    expect(Math.min(size.dataBytes, size.indexBytes, size.logBytes)).toBeGreaterThan(0);

    const open = (refreshIntervalMs?: number) => openReader(store, 'bench', refreshIntervalMs);
    const costs = await measureReadCosts({ store, open, sample, name: 'directory', records: RECORDS });
    expect(costs.map(({ question }) => question)).toEqual(['by id', 'absent id', 'page of 100', 'look for news']);
    expect(costs.map(isWithin)).toEqual([true, true, true, null]);
    // rows come from the store each time: a cache that held them would flatter the figures
    for (const { question, requests } of costs) expect(requests.median > 0).toBe(question !== 'absent id');

    await deleteAll(store, 'bench/');
    expect(await allObjects(store, '')).toEqual([]);
  } finally {
    await directory.remove();
  }
});
