import type { Hex } from '../core/hex.js';

/**
 * The name of an OnRamp or OffRamp among the sources of a storage. Each has a cursor of its own: one that is added later is read
 * from its own start, and the records of another stay as they are.
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

/** Every source of a chain whose cursor goes back with it. */
export function chainSources(selector: bigint, rampAddresses: readonly Hex[]): readonly string[] {
  return rampAddresses.flatMap((address) => [chainSourceId(selector, address), confirmedSourceId(selector, address)]);
}

/** The name of a chain among the sources that workers share. */
export function sharedChainId(selector: bigint): string {
  return `chain:${selector}`;
}
