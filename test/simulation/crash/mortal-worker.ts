/**
 * Does a crash script in a process of its own, to be killed: `mortal-worker.ts <what to do as JSON>`. Prints a line for
 * every write that reaches the bucket and one for every step.
 */

import type { PostgresConnection } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import { createCommon } from '../../../src/core/common.js';
import { createDirectoryObjectStore } from '../../../src/storage/cold/object-store/directory/directory-store.js';
import { createManualClock } from '../../support/manual-clock.js';
import { openProcess } from '../process/tiers-process.js';
import { createScript, runScript, scriptPlace } from './crash-script.js';
import { mortalStore, Reaper } from './reaper.js';

/** What a worker is told to do. */
export interface MortalWork {
  readonly connection: PostgresConnection;
  readonly directory: string;
  readonly seed: number;
  readonly startMs: number;
}

const { connection, directory, seed, startMs } = JSON.parse(process.argv[2] ?? '') as MortalWork;
const clock = createManualClock(startMs);
const reaper = new Reaper(null);
reaper.next = (what) => {
  console.log(what);
  return null;
};
const place = scriptPlace({
  ...{ clock, connection },
  openStore: () => mortalStore(createDirectoryObjectStore({ directory, common: createCommon({ clock }) }), reaper),
});
const script = createScript(seed);
const worker = openProcess(place, 'follower');
await place.underWay.drive(worker.sink.started());
const steps = [...script.before, ...script.window];
await runScript({
  ...{ steps, from: 0, worker, place, clock },
  onStep: (number, kind) => console.log(`step ${number} ${kind}`),
});
await place.underWay.drive(worker.sink.close());
console.log('done');
