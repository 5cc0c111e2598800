import type { Hex } from '../core/hex.js';

/**
 * The name of an OnRamp among the sources of a storage. Each has a cursor of its own: one that is added later is read
 * from its own start, and the messages of another stay as they are.
 */
export function chainSourceId(selector: bigint, onRampAddress: Hex): string {
  return `chain:${selector}:${onRampAddress.toLowerCase()}`;
}

/** The name of the last block of an OnRamp that two nodes have answered for, among the sources of a storage. */
export function confirmedSourceId(selector: bigint, onRampAddress: Hex): string {
  return `confirmed:${selector}:${onRampAddress.toLowerCase()}`;
}

/**
 * The name of the block at which a chain halted. Outside of `chain:<selector>:…`, whose cursors say up to where it is
 * final.
 */
export function haltSourceId(selector: bigint): string {
  return `halt:chain:${selector}`;
}

/** Every source of a chain whose cursor goes back with it. */
export function chainSources(selector: bigint, onRampAddresses: readonly Hex[]): readonly string[] {
  return onRampAddresses.flatMap((address) => [chainSourceId(selector, address), confirmedSourceId(selector, address)]);
}

/** The name of a chain among the sources that workers share. */
export function sharedChainId(selector: bigint): string {
  return `chain:${selector}`;
}
