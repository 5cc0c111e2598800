import { setTimeout as sleep } from 'node:timers/promises';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { settledBytes } from '../held-bytes.js';
import { type Lab, openLab, openTiers } from '../lab.js';
import { median, type Row } from '../measure.js';
import type { Bench } from '../report.js';
import { createResultMaker, PAYLOAD_BYTES } from '../workload/records.js';

const BATCH = 500;

/** Ways in which a hot tier comes by its records; bytes held a record, one figure a round. */
interface Held {
  readonly alone: number[];
  readonly written: number[];
  readonly warmed: number[];
}

/**
 * Bytes of a record of the hot tier in the process, in the JavaScript heap and beside it, after garbage collection,
 * against the record's payload. The ceiling is the payload itself, and less is better.
 */
export const memory: Bench = async ({ quick }) => {
  const count = quick ? 10_000 : 50_000;
  const held: Held = { alone: [], written: [], warmed: [] };
  const lab = await openLab();
  try {
    for (let round = 0; round < (quick ? 1 : 3); round += 1) await measureOnce(lab, count, held);
  } finally {
    await lab.close();
  }
  const row = (what: string, bytes: readonly number[]) => toRow(`memory a record, ${what}`, bytes, count);
  return {
    rows: [row('alone', held.alone), row('in a Sink', held.written), row('warmed from Postgres', held.warmed)],
  };
};

async function measureOnce(lab: Lab, count: number, held: Held): Promise<void> {
  held.alone.push((await heldBytes(async () => await filled(createMemoryStorage({ name: 'hot' }), count))) / count);
  await lab.inNamespace(async (namespace) => {
    held.written.push((await heldBytes(async () => await filled(await openTiers(lab, namespace), count))) / count);
    held.warmed.push((await heldBytes(async () => await warmed(lab, namespace, count))) / count);
  });
}

/** Bytes that the process holds more once the storage is there. */
async function heldBytes(open: () => Promise<Storage>): Promise<number> {
  const before = await settledBytes();
  const storage = await open();
  const after = await settledBytes();
  await storage.close();
  return after - before;
}

async function filled(storage: Storage, count: number): Promise<Storage> {
  const make = createResultMaker(4);
  for (let stored = 0; stored < count; stored += BATCH) await storage.insertBatch({ verifierResults: make(BATCH) });
  return storage;
}

async function warmed(lab: Lab, namespace: string, count: number): Promise<Storage> {
  const sink = await openTiers(lab, namespace);
  const isWarm = async () => (await sink.status()).every(({ coverage }) => Number(coverage.throughPosition) >= count);
  while (!(await isWarm())) await sleep(20);
  return sink;
}

function toRow(what: string, bytes: readonly number[], count: number): Row {
  const ratios = bytes.map((each) => each / PAYLOAD_BYTES);
  return {
    what,
    unit: 'bytes',
    product: median(bytes),
    ceiling: PAYLOAD_BYTES,
    ratio: median(ratios),
    spread: [Math.min(...ratios), Math.max(...ratios)],
    aim: { kind: 'atMost', ratio: 2 },
    note: `${count} verifier results of ${PAYLOAD_BYTES} bytes, each of a message of its own`,
  };
}
