import { resultIdentity } from '../../../model/identity.js';
import { DivergedError } from '../../../model/storage-errors.js';
import { isWhole, type NamespaceHead } from '../namespace/head.js';
import type { NamespaceView } from '../namespace/view.js';
import type { Lookup } from '../read/lookup.js';
import type { ChangeBuffer, ListedChange } from './change-buffer.js';

/**
 * A change that a follower had buffered when another writer committed its position. When both follow one history, the
 * namespace holds it: at its position, or above `newerThan` if the record has changed again.
 */
export interface Witness {
  readonly change: ListedChange;
  readonly newerThan: bigint;
}

/** The witness in `buffer` about a namespace that another writer brought to `head`; null without one. */
export function witnessOf(buffer: ChangeBuffer, head: NamespaceHead): Witness | null {
  // a part of the changes lacks the records that changed again beyond it
  const change = isWhole(head) ? buffer.lastListedAt(head.position) : null;
  if (change === null) return null;
  const { position, headPosition } = buffer;
  // every change beyond the head was applied: the record did not change again up to there
  const isExact = position >= headPosition && position >= head.position;
  return { change, newerThan: isExact ? head.position : change.position };
}

/**
 * Two indexers with a database each that were given one namespace by mistake would write their histories into each
 * other.
 * @throws DivergedError when the namespace does not hold the witness.
 */
export async function checkWitness(
  name: string,
  lookup: Lookup,
  view: NamespaceView,
  { change, newerThan }: Witness,
): Promise<void> {
  const { position, record } = change;
  const held =
    change.kind === 'message'
      ? await lookup.message(view, record.messageId)
      : (await lookup.results(view, record.messageId)).find(
          (each) => resultIdentity(each) === resultIdentity(change.record),
        );
  const isSame = held?.position === position && held.ingestionMs === record.ingestionMs;
  if (isSame || (held && held.position > newerThan)) return;
  throw new DivergedError(name, position, 'another writer has committed another change there');
}
