import { contentBytes } from '../../model/outlines.js';
import type { StoredMessage } from '../../model/records.js';

/** Bytes of a record's JSON besides its contents, about. */
export const RECORD_BYTES = 2_048;
/** Bytes of an execution's JSON besides its return data, about. */
export const EXECUTION_BYTES = 1_024;

/** About how long the JSON of a message is: its data stands there twice, as hex. */
export function messageBytes(message: StoredMessage): number {
  return 4 * contentBytes(message) + RECORD_BYTES;
}
