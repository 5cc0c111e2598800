import type { Clock } from '../../../src/core/clock.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { ObjectStoreUnavailableError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import type { Busy } from '../process/busy.js';
import type { UnderWay } from '../process/under-way.js';

/** `reads`: whatever only looks fails; `all`: everything; `silent`: everything, after a request's time limit. */
export type Outage = 'none' | 'reads' | 'all' | 'silent';

/** The real S3 store gives up on a request by itself: nothing hangs for ever. */
export const REQUEST_TIMEOUT_MS = 1_000;

/** A store that can be away, for as long as it is told to. */
export interface OutageStore extends ObjectStore {
  outage: Outage;
}

/** `busy` and `underWay` are told of all work but of waiting for a silent store. */
export function createOutageStore(
  store: ObjectStore,
  { clock, busy, underWay }: { readonly clock: Clock; readonly busy: Busy; readonly underWay: UnderWay },
): OutageStore {
  async function reach<T>(isRead: boolean, work: () => Promise<T>): Promise<T> {
    const { outage } = outer;
    if (outage === 'silent') await clock.sleep(REQUEST_TIMEOUT_MS);
    if (outage === 'silent' || outage === 'all' || (outage === 'reads' && isRead))
      throw new ObjectStoreUnavailableError(`injected outage (${outage})`);
    return await busy.track(underWay.track(work()));
  }
  const outer: OutageStore = {
    outage: 'none',
    putIfAbsent: (key, bytes) => reach(false, () => store.putIfAbsent(key, bytes)),
    get: (key, range) => reach(true, () => store.get(key, range)),
    head: (key) => reach(true, () => store.head(key)),
    list: (prefix, options) => reach(true, () => store.list(prefix, options)),
    deleteMany: (keys) => reach(false, () => store.deleteMany(keys)),
    close: () => store.close(),
  };
  return outer;
}
