import type { Hex } from '../core/hex.js';

/**
 * The name of an OnRamp or OffRamp among the sources of a storage. Each has a cursor of its own: one that is added
 * later is read from its own start, and the records of another stay as they are.
 */
export function chainSourceId(selector: bigint, rampAddress: Hex): string {
  return `chain:${selector}:${rampAddress.toLowerCase()}`;
}

/** The name of the last block of a ramp that two nodes have answered for, among the sources of a storage. */
export function confirmedSourceId(selector: bigint, rampAddress: Hex): string {
  return `confirmed:${selector}:${rampAddress.toLowerCase()}`;
}

/**
 * The name of the block at which a chain halted. Outside of `chain:<selector>:…`, whose cursors say up to where it is
 * final.
 */
export function haltSourceId(selector: bigint): string {
  return `halt:chain:${selector}`;
}

/** The name of the last block of an OffRamp whose executions were looked at for the verifications that they carried. */
export function recoveredSourceId(selector: bigint, offRampAddress: Hex): string {
  return `recovered:${selector}:${offRampAddress.toLowerCase()}`;
}

/** Every source of a chain whose cursor goes back with it. */
export function chainSources(selector: bigint, rampAddresses: readonly Hex[]): readonly string[] {
  const kinds = [chainSourceId, confirmedSourceId, recoveredSourceId];
  return rampAddresses.flatMap((address) => kinds.map((idOf) => idOf(selector, address)));
}

/** The name of a chain among the sources that workers share. */
export function sharedChainId(selector: bigint): string {
  return `chain:${selector}`;
}
