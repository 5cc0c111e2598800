import { statfs } from 'node:fs/promises';
import { type Lab, openLab, openPostgres } from '../lab.js';
import type { Bench, BenchOptions } from '../report.js';
import { createSample } from '../sample.js';
import { scratchDirectory } from '../scratch.js';
import { fill } from '../workload/fill.js';
import { type Growth, measureSpeed } from './growth.js';

/** Bytes of a record on the disk while it is built, with the server's log: a size that does not fit is left out. */
const BYTES_NEEDED = 8_000;

/** The warm tier at each size. */
export const growthWarm: Bench = async (options) => {
  const growth: Growth[] = [];
  const remarks: string[] = [];
  const lab = await openLab();
  try {
    for (const records of options.sizes)
      if (records * BYTES_NEEDED < (await freeDiskBytes()))
        growth.push(await lab.inNamespace((namespace) => measureWarm(lab, namespace, records, options)));
      else
        remarks.push(`The warm tier was left out at ${records.toLocaleString('en-US')} records: the disk is too full.`);
  } finally {
    await lab.close();
  }
  return { growth, remarks };
};

async function measureWarm(lab: Lab, namespace: string, records: number, { quick }: BenchOptions): Promise<Growth> {
  const sample = createSample(records);
  const storage = openPostgres(lab, namespace);
  try {
    await fill({ what: 'warm', records, payload: 'abi', seed: 11, sample, apply: (set) => storage.apply(set) });
    // the server would do this by itself within a minute
    await lab.client.query('VACUUM (ANALYZE)');
    const { bytes, indexBytes } = await relationBytes(lab, namespace);
    const speed = await measureSpeed(storage, sample, records, quick ? 0.2 : 2);
    const perRecord = { bytesPerRecord: bytes / records, indexBytesPerRecord: indexBytes / records };
    return { tier: 'warm', records, ...perRecord, ...speed };
  } finally {
    await storage.close();
  }
}

/** Tables with their indexes, and the indexes alone. */
async function relationBytes(
  { client }: Lab,
  namespace: string,
): Promise<{ readonly bytes: number; readonly indexBytes: number }> {
  const { rows } = await client.query<{ bytes: string; indexes: string }>(
    `SELECT sum(pg_total_relation_size(c.oid)) AS bytes, sum(pg_indexes_size(c.oid)) AS indexes
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind = 'r'`,
    [namespace],
  );
  return { bytes: Number(rows[0]?.bytes), indexBytes: Number(rows[0]?.indexes) };
}

async function freeDiskBytes(): Promise<number> {
  const { bavail, bsize } = await statfs(scratchDirectory());
  return bavail * bsize;
}
