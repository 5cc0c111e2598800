import { setImmediate as letOthersRun } from 'node:timers/promises';
import type { ChangeSet } from '../../../src/model/batch.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { compareInTurn, perSecond, type Row } from '../measure.js';
import type { Bench, BenchOptions } from '../report.js';
import { allObjects, fillCold, openArchive, openReader, partOf, sizeOf } from '../workload/cold-namespace.js';
import { getAll, MB, PARALLEL, putAll } from '../workload/plain-objects.js';
import { createRecordStream, type PayloadKind, randomBytesOf } from '../workload/record-stream.js';
import { PAYLOAD_BYTES } from '../workload/records.js';
import { measureCompaction } from './compaction.js';
import { deleteAll, inObjectPlaces, type ObjectPlace } from './object-places.js';

/** Of the 2 KB record, in the store, with everything that it needs there. */
const AIM_BYTES = 800;
const SET_RECORDS = 1_000;
const FLUSH_BYTES = 16 * 1024 * 1024;
const SCAN_PAGE = 1_000;

/**
 * The cold tier over a directory and over a real S3 server: the rate of records taken and of all of them read back,
 * against putting and getting the same bytes as plain objects through the same client; and the bytes of a record.
 */
export const cold: Bench = async (options) => {
  const { found, remarks } = await inObjectPlaces(async (place) => [
    await measureWrites(place, options),
    ...(await measureScan(place, options)),
    await measureCompaction(place, options),
  ]);
  return { rows: found.flat(), remarks };
};

async function measureWrites(place: ObjectPlace, { quick }: BenchOptions): Promise<Row> {
  const records = quick ? 8_000 : 40_000;
  const stream = createRecordStream({ seed: 10, payload: 'abi' });
  const sets = Array.from({ length: records / SET_RECORDS }, () => stream.take(SET_RECORDS));
  let rounds = 0;
  let objects: readonly Uint8Array[] = [];
  const compared = await compareInTurn(quick ? 1 : 5, {
    async product() {
      rounds += 1;
      const namespace = `writes-${rounds}`;
      const rate = await perSecond(records, () => writeAll(place.store, namespace, sets));
      objects = await getAll(place.store, await keysOf(place.store, `${namespace}/`));
      await deleteAll(place.store, `${namespace}/`);
      return rate;
    },
    async ceiling() {
      const rate = await perSecond(records, () => putAll(place.store, 'plain', objects));
      await deleteAll(place.store, 'plain/');
      return rate;
    },
  });
  return {
    what: `cold writes, ${place.name}`,
    unit: 'records/s',
    ...compared,
    aim: null,
    note:
      `${records} records of ${PAYLOAD_BYTES} bytes applied and flushed, read back and committed; ${objects.length} ` +
      `objects, as plain ones ${PARALLEL} at a time`,
  };
}

/** As long as it takes until everything is committed. */
async function writeAll(store: ObjectStore, namespace: string, sets: readonly ChangeSet[]): Promise<void> {
  const archive = openArchive(store, namespace);
  try {
    for (const set of sets) {
      await archive.apply(set);
      await letOthersRun();
    }
    await archive.flush();
  } finally {
    await archive.close();
  }
}

/** Scans, and weighs the records, which are there. */
async function measureScan(place: ObjectPlace, { quick }: BenchOptions): Promise<readonly Row[]> {
  const { store } = place;
  const records = quick ? 8_000 : 40_000;
  const sizes = new Map<PayloadKind, Row>();
  for (const payload of ['random', 'abi'] as const) {
    await fillCold(store, {
      ...{ namespace: payload, records, payload, flushBytes: FLUSH_BYTES },
      what: `cold, ${place.name}`,
    });
    sizes.set(payload, await weigh(place, payload, records));
  }
  const data = (await allObjects(store, 'abi/')).filter(({ key }) => partOf(key) === 'data');
  const megabytes = data.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / MB;
  const compared = await compareInTurn(quick ? 1 : 5, {
    product: () => perSecond(megabytes, () => scanAll(store, 'abi', records)),
    ceiling: () =>
      perSecond(megabytes, () =>
        getAll(
          store,
          data.map(({ key }) => key),
        ),
      ),
  });
  const perMegabyte = (records * PAYLOAD_BYTES) / MB / megabytes;
  const scan: Row = {
    what: `cold full scan, ${place.name}`,
    unit: 'MB/s',
    ...compared,
    aim: null,
    note:
      `${records} records in pages of ${SCAN_PAGE}; MB of the ${data.length} data files, each ` +
      `${perMegabyte.toFixed(1)} MB of payload; plain GETs ${PARALLEL} at a time`,
  };
  await deleteAll(store, '');
  return [scan, ...sizes.values()];
}

async function weigh(place: ObjectPlace, payload: PayloadKind, records: number): Promise<Row> {
  const { dataBytes, indexBytes, logBytes, totalBytes } = sizeOf(await allObjects(place.store, `${payload}/`));
  const bytes = totalBytes / records;
  const ratio = bytes / PAYLOAD_BYTES;
  const parts = [dataBytes, indexBytes, logBytes].map((part) => (part / records).toFixed(1));
  return {
    what: `cold bytes a record, ${payload === 'abi' ? 'ABI' : 'random'} data, ${place.name}`,
    unit: 'bytes',
    product: bytes,
    ceiling: PAYLOAD_BYTES,
    ratio,
    spread: [ratio, ratio],
    // no compression takes random bytes below their number
    aim: payload === 'abi' ? { kind: 'atMost', ratio: AIM_BYTES / PAYLOAD_BYTES } : null,
    note:
      `${parts[0]} data, ${parts[1]} index, ${parts[2]} log, of ${records} records flushed each 16 MiB; of a payload ` +
      `${randomBytesOf(payload)} bytes are random, and 32 of its id`,
  };
}

async function scanAll(store: ObjectStore, namespace: string, records: number): Promise<void> {
  const reader = openReader(store, namespace);
  try {
    let seen = 0;
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await reader.queryCCVData({ limit: SCAN_PAGE, ...(cursor === '' ? {} : { cursor }) });
      seen += page.items.length;
      cursor = page.nextCursor;
    }
    if (seen !== records) throw new Error(`${seen} of ${records} records were found`);
  } finally {
    await reader.close();
  }
}

async function keysOf(store: ObjectStore, prefix: string): Promise<readonly string[]> {
  return (await allObjects(store, prefix)).map(({ key }) => key);
}
