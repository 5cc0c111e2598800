import type { Hex } from '../../../core/hex.js';
import { resultIdentity } from '../../../model/identity.js';
import type { Recalled } from '../../../model/recall.js';
import type { WriteState } from './write-state.js';

/**
 * Makes whole again what the state lacks about the recalled ids. What has a row here is not touched. What has none was
 * pruned, so it last changed at or below the floor; a tier that stood there, or above, when it was asked has it exactly
 * as it is. What was recalled from a tier that stood below is left out, and will be found lacking again.
 */
export function addRecalled(state: WriteState, recalled: ReadonlyMap<Hex, Recalled>, floorPosition: bigint): void {
  for (const [messageId, { message, results }] of recalled) {
    if (!isFrom(message, floorPosition) || !isFrom(results, floorPosition)) continue;
    const body = state.bodies.get(messageId);
    if (!body || !state.incomplete.has(messageId)) continue;
    body.content ??= message.value ?? results.value[0] ?? null;
    const known = state.messages.get(messageId);
    if (known?.pruned && message.value !== null) {
      const { origin, status, orphaned, ingestionMs } = message.value;
      Object.assign(known, { origin, status, orphaned, ingestionMs, pruned: null });
    }
    for (const record of results.value) {
      const key = resultIdentity(record);
      const existing = state.results.get(key);
      if (existing && existing.prunedCcvHash === null) continue;
      const { verifierSourceAddress, verifierDestAddress, ccvData, attestationMs, verifierName } = record;
      state.results.set(key, {
        stored: true,
        result: { messageId, verifierSourceAddress, verifierDestAddress, ccvData, attestationMs, verifierName },
        orphaned: record.orphaned,
        ingestionMs: record.ingestionMs,
        prunedCcvHash: null,
      });
    }
    // a pruned message that the tier does not know cannot be made whole
    if (!state.messages.get(messageId)?.pruned) state.incomplete.delete(messageId);
  }
}

function isFrom(held: { readonly afterPosition: bigint; readonly throughPosition: bigint }, position: bigint): boolean {
  return held.afterPosition === 0n && held.throughPosition >= position;
}
