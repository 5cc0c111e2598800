import type { Hex } from '../../core/hex.js';
import { hashOfRecord } from '../../migration/parity/record-hash.js';
import type { Change } from '../../model/batch.js';
import { changedRecord } from '../../model/identity.js';
import type { LoneBackend } from './record.js';

/** Positions above the one and up to the other. */
interface Positions {
  readonly afterPosition: bigint;
  readonly throughPosition: bigint;
}

/** The message and the verifier results of one id that a backend holds, with the positions for which it answers. */
export interface HeldRecords extends Positions {
  readonly backend: string;
  /** By `changedRecord`. */
  readonly records: ReadonlyMap<string, HeldRecord>;
}

/** A message or a verifier result as a change. */
export type HeldRecord = Extract<Change, { readonly kind: 'message' | 'verifierResult' }>;

/** Asks a backend alone for all that it holds of an id. */
export async function heldBy(backend: LoneBackend, messageId: Hex): Promise<HeldRecords> {
  const [message, results] = await Promise.all([backend.heldMessage(messageId), backend.heldCCVData(messageId)]);
  const records = results.value.map((record): HeldRecord => {
    return { kind: 'verifierResult', position: record.position, record };
  });
  const { value } = message;
  if (value) records.push({ kind: 'message', position: value.position, record: value });
  return {
    backend: backend.name,
    records: new Map(records.map((record) => [changedRecord(record), record])),
    ...overlap([message, results]),
  };
}

/**
 * The records that two backends hold differently, in words. A record counts while the position of its last change is
 * one that both answer for: then both must have it, with the same bytes.
 */
export function heldDifferently(ours: HeldRecords, theirs: HeldRecords): readonly string[] {
  const { afterPosition, throughPosition } = overlap([ours, theirs]);
  const isSettled = (record: HeldRecord | undefined) =>
    record === undefined || (record.position > afterPosition && record.position <= throughPosition);
  return [...new Set([...ours.records.keys(), ...theirs.records.keys()])].flatMap((key) => {
    const [mine, other] = [ours.records.get(key), theirs.records.get(key)];
    if (!isSettled(mine) || !isSettled(other)) return [];
    const what = nameOf(mine ?? other);
    if (!mine) return [`${what} is only in ${theirs.backend}`];
    if (!other) return [`${what} is only in ${ours.backend}`];
    return hashOfRecord(mine).equals(hashOfRecord(other)) ? [] : [`${what} differs`];
  });
}

function nameOf(held: HeldRecord | undefined): string {
  return held?.kind === 'verifierResult' ? `the result of ${held.record.verifierSourceAddress}` : 'the message';
}

/** The positions that are in all of these. */
export function overlap(all: readonly [Positions, ...Positions[]]): Positions {
  let [{ afterPosition, throughPosition }] = all;
  for (const each of all) {
    if (each.afterPosition > afterPosition) afterPosition = each.afterPosition;
    if (each.throughPosition < throughPosition) throughPosition = each.throughPosition;
  }
  return { afterPosition, throughPosition };
}
