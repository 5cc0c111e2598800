import { rm } from 'node:fs/promises';
import { setImmediate as letOthersRun } from 'node:timers/promises';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import type { ChangeSet } from '../../../src/model/batch.js';
import { createDirectoryObjectStore } from '../../../src/storage/cold/object-store/directory/directory-store.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import type { Storage } from '../../../src/storage/storage.js';
import { type Cost, type CpuCost, measureCost, medianCost } from '../cost.js';
import type { Bench } from '../report.js';
import { makeDirectory } from '../scratch.js';
import { openArchive, openReader } from '../workload/cold-namespace.js';
import { fillMessages } from '../workload/message-stream.js';
import { createRecordStream } from '../workload/record-stream.js';
import { deleteAll } from './object-places.js';

const SET_RECORDS = 500;
const PAGE = 1_000;
/** More than a row group has of either kind. */
const APART = 1_009;
/** The cold tier's own default, and files of a quieter namespace, in records of 2 KiB. */
const FLUSH_RECORDS = 8_000;
const SMALL_FLUSH_RECORDS = 500;

/** Changes of one kind of record, and the ways to ask for them. */
interface Kind {
  readonly name: 'result' | 'message';
  readonly sets: readonly ChangeSet[];
  readonly ids: readonly Hex[];
  page(storage: Storage, cursor: string | null): Promise<{ items: readonly unknown[]; nextCursor: string | null }>;
  byId(storage: Storage, id: Hex): Promise<unknown>;
}

/** The CPU time of the cold tier for a record of each kind, in a directory: written, compacted, listed, looked up. */
export const coldCosts: Bench = async ({ quick }) => {
  const directory = await makeDirectory();
  const store = createDirectoryObjectStore({ directory, common: createCommon() });
  const records = quick ? 8_000 : 40_000;
  try {
    const costs: Cost[] = [];
    for (const kind of [resultKind(records), await messageKind(records)])
      costs.push(...(await costsOf(store, kind, records, quick ? 1 : 5)));
    return { costs };
  } finally {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  }
};

async function costsOf(store: ObjectStore, kind: Kind, records: number, rounds: number): Promise<readonly Cost[]> {
  const costs = new Map<string, CpuCost[]>();
  const measure = async (what: string, work: () => Promise<number>) => {
    const cost = await measureCost(`cold ${what}`, null, work);
    costs.set(what, [...(costs.get(what) ?? []), cost]);
  };
  // the first round warms up
  for (let round = 0; round <= rounds; round += 1) {
    const namespace = `${kind.name}-${round}`;
    if (round === 1) costs.clear();
    await measure(`write of a ${kind.name}`, () => write(store, namespace, kind, FLUSH_RECORDS));
    await measure(`list of all, a ${kind.name}`, () => list(store, namespace, kind));
    await measure(`${kind.name} by id`, () => askById(store, namespace, kind));
    await write(store, `${namespace}-small`, kind, SMALL_FLUSH_RECORDS);
    await measure(`compaction, a ${kind.name}`, () => compact(store, `${namespace}-small`, records));
    await deleteAll(store, `${namespace}`);
  }
  const note = `${records} records, flushed each ${FLUSH_RECORDS}; to be compacted each ${SMALL_FLUSH_RECORDS}`;
  return [...costs].map(([what, all]) => ({
    ...{ what: `cold ${what}`, ...medianCost(all), note },
    aim: what in AIMS ? { nodeUs: AIMS[what] ?? 0, postgresUs: null } : null,
  }));
}

const AIMS: Readonly<Record<string, number>> = {
  'write of a result': 25,
  'compaction, a result': 20,
  'list of all, a result': 8,
};

async function write(store: ObjectStore, namespace: string, { sets }: Kind, flushRecords: number): Promise<number> {
  const archive = openArchive(store, namespace);
  let [waiting, written] = [0, 0];
  for (const set of sets) {
    await archive.apply(set);
    await letOthersRun();
    waiting += set.changes.length;
    written += set.changes.length;
    if (waiting < flushRecords) continue;
    await archive.flush();
    waiting = 0;
  }
  await archive.flush();
  await archive.close();
  return written;
}

async function compact(store: ObjectStore, namespace: string, records: number): Promise<number> {
  const archive = openArchive(store, namespace);
  await archive.maintenance.compact({ full: true });
  await archive.close();
  return records;
}

async function list(store: ObjectStore, namespace: string, kind: Kind): Promise<number> {
  const reader = openReader(store, namespace);
  let seen = 0;
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = await kind.page(reader, cursor);
    seen += page.items.length;
    cursor = page.nextCursor;
  }
  await reader.close();
  if (seen !== kind.ids.length) throw new Error(`${seen} of ${kind.ids.length} records were found`);
  return seen;
}

/** Of ids so far apart that none is in a row group of another. The heads of indexes are read before. */
async function askById(store: ObjectStore, namespace: string, { ids, byId }: Kind): Promise<number> {
  const reader = openReader(store, namespace);
  for (let at = 0; at < ids.length; at += FLUSH_RECORDS) await byId(reader, ids[at]!);
  let asked = 0;
  for (let at = APART >> 1; at < ids.length; at += APART, asked += 1) await byId(reader, ids[at]!);
  await reader.close();
  return asked;
}

function resultKind(records: number): Kind {
  const stream = createRecordStream({ seed: 10, payload: 'abi' });
  const sets = Array.from({ length: records / SET_RECORDS }, () => stream.take(SET_RECORDS));
  return {
    ...{ name: 'result', sets, ids: idsOf(sets) },
    page: (storage, cursor) => storage.queryCCVData({ limit: PAGE, ...(cursor ? { cursor } : {}) }),
    byId: (storage, id) => storage.getCCVData(id),
  };
}

async function messageKind(messages: number): Promise<Kind> {
  const sets: ChangeSet[] = [];
  const apply = async (set: ChangeSet) => void sets.push(set);
  await fillMessages({ what: 'cold costs', messages, apply });
  return {
    ...{ name: 'message', sets, ids: idsOf(sets) },
    page: (storage, cursor) => storage.queryMessages({ limit: PAGE, ...(cursor ? { cursor } : {}) }),
    byId: (storage, id) => storage.getMessage(id),
  };
}

function idsOf(sets: readonly ChangeSet[]): readonly Hex[] {
  return sets.flatMap(({ changes }) =>
    changes.flatMap((change) =>
      change.kind === 'message' || change.kind === 'verifierResult' ? [change.record.messageId] : [],
    ),
  );
}
