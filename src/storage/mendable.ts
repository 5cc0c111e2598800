import type { Change } from '../model/batch.js';
import type { RecordRef } from '../model/identity.js';
import type { Storage } from './storage.js';

/** The state that a record of a follower is given: its leader's, or none. */
export type Mending =
  | { readonly what: 'put'; readonly change: Change }
  | { readonly what: 'remove'; readonly ref: RecordRef };

/** A follower of which single records can be put right, where following has left, or something else has put, others. */
export interface Mendable {
  /**
   * Gives one record the state that `ask` answers with, in one transaction. `ask` is called while nothing else can
   * change the storage, with the position up to which it holds its leader's changes; it answers within seconds. A put
   * above that position, or at or below the floor of a pruned storage, changes nothing. No position moves.
   * @returns whether the storage was changed.
   * @throws MendRefusedError when the storage leads.
   */
  mend(ask: (throughPosition: bigint) => Promise<Mending | null>): Promise<boolean>;
}

/** Whether single records of a storage can be put right. */
export function isMendable(storage: Storage): storage is Storage & Mendable {
  return 'mend' in storage;
}
