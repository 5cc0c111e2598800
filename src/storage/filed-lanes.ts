import type { Lane } from '../protocol/message.js';
import type { Storage } from './storage.js';

/** The lane under which a storage lists a record. */
export interface FiledLane extends Lane {
  /** False: lists with chain filters do not know that the lane exists. */
  readonly isKnown: boolean;
}

/**
 * A storage that keeps the lane of a record beside its bytes, and answers questions with chain filters from there: the
 * two can differ, which no other answer shows.
 */
export interface FiledLanes {
  /** The lanes of the messages and verifier results in (afterPosition, throughPosition], by position. */
  filedLanes(afterPosition: bigint, throughPosition: bigint): Promise<ReadonlyMap<bigint, FiledLane>>;
}

/** Whether a storage keeps lanes beside the records. */
export function filesLanes(storage: Storage): storage is Storage & FiledLanes {
  return 'filedLanes' in storage;
}
