import { freemem } from 'node:os';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { settledBytes } from '../held-bytes.js';
import type { Bench, BenchOptions } from '../report.js';
import { createSample } from '../sample.js';
import { fill } from '../workload/fill.js';
import { type Growth, measureSpeed } from './growth.js';

/** Bytes of a record while it is built, in this process: a size that does not fit is left out. */
const BYTES_NEEDED = 5_000;

/** The hot tier at each size. */
export const growthHot: Bench = async (options) => {
  const growth: Growth[] = [];
  const remarks: string[] = [];
  for (const records of options.sizes)
    if (records * BYTES_NEEDED < freemem()) growth.push(await measureHot(records, options));
    else
      remarks.push(
        `The hot tier was left out at ${records.toLocaleString('en-US')} records: too little memory is free.`,
      );
  return { growth, remarks };
};

async function measureHot(records: number, { quick }: BenchOptions): Promise<Growth> {
  const before = await settledBytes();
  const sample = createSample(records);
  // nothing confirms that it is current: it stays so
  const storage = createMemoryStorage({ name: 'hot', maxStalenessMs: Number.POSITIVE_INFINITY });
  try {
    await fill({ what: 'hot', records, payload: 'abi', seed: 11, sample, apply: (set) => storage.apply(set) });
    const bytes = (await settledBytes()) - before;
    const speed = await measureSpeed(storage, sample, records, quick ? 0.2 : 2);
    return { tier: 'hot', records, bytesPerRecord: bytes / records, indexBytesPerRecord: null, ...speed };
  } finally {
    await storage.close();
  }
}
