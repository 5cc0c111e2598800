import type { Hex } from '../../../core/hex.js';
import { resultIdentity } from '../../../model/identity.js';
import type { Recalled } from '../../../model/recall.js';
import type { LoadedState } from './loaded-state.js';

/**
 * Makes whole again the recalled ids of a state. A record with a row here is not touched. A record without one was
 * pruned, so it last changed at or below the floor; a tier that stood there, or above, when it was asked has it exactly
 * as it is. A record recalled from a tier that stood below is left out, and will be found lacking again.
 */
export function addRecalled(state: LoadedState, recalled: ReadonlyMap<Hex, Recalled>, floorPosition: bigint): void {
  for (const [messageId, { message, results }] of recalled) {
    if (!isFrom(message, floorPosition) || !isFrom(results, floorPosition)) continue;
    const id = state.ids.get(messageId);
    if (!id?.isPruned) continue;
    id.body ??= message.value ?? results.value[0] ?? null;
    if (id.message?.prunedOrigin !== undefined && message.value !== null) id.message = message.value;
    const rows = id.results.filter(({ prunedCcv }) => prunedCcv === undefined);
    const identities = new Set(rows.map(resultIdentity));
    const others = results.value.filter((result) => !identities.has(resultIdentity(result)));
    const known = new Set([...rows, ...others].map(resultIdentity));
    const stillPruned = id.results.filter((result) => !known.has(resultIdentity(result)));
    id.results.splice(0, id.results.length, ...rows, ...others, ...stillPruned);
    // a pruned message that the tier does not know cannot be made whole
    if (id.message?.prunedOrigin === undefined) id.isPruned = false;
  }
}

function isFrom(held: { readonly afterPosition: bigint; readonly throughPosition: bigint }, position: bigint): boolean {
  return held.afterPosition === 0n && held.throughPosition >= position;
}
