import { createCountingObjectStore } from '../../../test/support/s3/request-counting.js';
import type { Bench, BenchOptions } from '../report.js';
import { createSample, type Sample } from '../sample.js';
import { allObjects, fillCold, openReader, sizeOf } from '../workload/cold-namespace.js';
import { compactNamespace } from './compaction.js';
import { type Growth, measureSpeed } from './growth.js';
import { deleteAll, inObjectPlaces, type ObjectPlace } from './object-places.js';
import { measureReadCosts, type ReadCost } from './read-costs.js';

/** The cold tier's own default. */
const FLUSH_BYTES = 16 * 1024 * 1024;

interface Measured {
  readonly reads: readonly ReadCost[];
  readonly growth: readonly Growth[];
}

/** The cold tier at each size, in each place: cost and rate of its reads, as flushed and compacted. */
export const growthCold: Bench = async (options) => {
  const { found, remarks } = await inObjectPlaces(async (place) => {
    const measured: Measured[] = [];
    for (const records of options.sizes) measured.push(await measureSize(place, records, options));
    return measured;
  });
  const all = found.flat();
  return { reads: all.flatMap(({ reads }) => reads), growth: all.flatMap(({ growth }) => growth), remarks };
};

async function measureSize(place: ObjectPlace, records: number, { quick }: BenchOptions): Promise<Measured> {
  const { store } = place;
  const namespace = `size-${records}`;
  const sample = createSample(records);
  const at = { place, namespace, records, sample, seconds: quick ? 0.2 : 2 };
  try {
    await fillCold(store, {
      ...{ namespace, records, sample, flushBytes: FLUSH_BYTES },
      what: `cold, ${place.name}`,
      payload: 'abi',
    });
    const flushed = await measureState(at, place.name);
    await compactNamespace(store, namespace, `cold, ${place.name}`);
    const compacted = await measureState(at, `${place.name}, compacted`);
    return { reads: [...flushed.reads, ...compacted.reads], growth: [...flushed.growth, ...compacted.growth] };
  } finally {
    await deleteAll(store, `${namespace}/`);
  }
}

interface Scope {
  readonly place: ObjectPlace;
  readonly namespace: string;
  readonly records: number;
  readonly sample: Sample;
  readonly seconds: number;
}

async function measureState({ place, namespace, records, sample, seconds }: Scope, name: string): Promise<Measured> {
  const store = createCountingObjectStore(place.store);
  const open = (refreshIntervalMs?: number) => openReader(store, namespace, refreshIntervalMs);
  const reads = await measureReadCosts({ store, open, sample, name, records });
  const { totalBytes } = sizeOf(await allObjects(store, `${namespace}/`));
  const storage = open();
  try {
    const speed = await measureSpeed(storage, sample, records, seconds);
    const bytesPerRecord = totalBytes / records;
    const growth = { tier: `cold, ${name}`, records, bytesPerRecord, indexBytesPerRecord: null, ...speed };
    return { reads, growth: [growth] };
  } finally {
    await storage.close();
  }
}
