import { setImmediate as letOthersRun } from 'node:timers/promises';
import type { ChangeSet } from '../../../src/model/batch.js';
import { startProgress } from '../progress.js';
import type { Sample } from '../sample.js';
import { createRecordStream, type PayloadKind } from './record-stream.js';

/** Records of a set that a storage is given at once. */
const SET_RECORDS = 1_000;

/**
 * Gives a storage `records` new ones as a follower gets them, made on the way: a million of them need no memory here.
 */
export async function fill(wish: {
  readonly what: string;
  readonly records: number;
  readonly payload: PayloadKind;
  readonly seed: number;
  readonly sample?: Sample;
  readonly apply: (set: ChangeSet) => Promise<void>;
}): Promise<void> {
  const { what, records, payload, seed, sample, apply } = wish;
  const stream = createRecordStream({ seed, payload });
  const progress = startProgress(`${what}: records built`, records);
  try {
    for (let done = 0; done < records; done += SET_RECORDS) {
      const set = stream.take(Math.min(SET_RECORDS, records - done));
      sample?.see(set);
      await apply(set);
      progress.update(done + set.changes.length);
      // work of the storage beside has its turn, as where changes come over a connection
      await letOthersRun();
    }
  } finally {
    progress.end();
  }
}
